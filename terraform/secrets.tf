# The secrets. Their values are write-only: Secrets Manager gets them, and neither the state
# nor a plan does. They are written when they are new, and when secrets_version is raised.

resource "aws_secretsmanager_secret" "confluent" {
  name                    = "${var.name}/confluent"
  description             = "Kafka of ${var.name}: bootstrap_servers, api_key, api_secret"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "confluent" {
  secret_id                = aws_secretsmanager_secret.confluent.id
  secret_string_wo_version = var.secrets_version
  secret_string_wo = jsonencode({
    bootstrap_servers = var.confluent_bootstrap_servers
    api_key           = var.confluent_api_key
    api_secret        = var.confluent_api_secret
  })
}

resource "aws_secretsmanager_secret" "couchbase" {
  name                    = "${var.name}/couchbase"
  description             = "Couchbase of ${var.name}: host, bucket, username, password"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "couchbase" {
  secret_id                = aws_secretsmanager_secret.couchbase.id
  secret_string_wo_version = var.secrets_version
  secret_string_wo = jsonencode({
    host     = var.couchbase_host
    bucket   = var.couchbase_bucket
    username = var.couchbase_username
    password = var.couchbase_password
  })
}

resource "aws_secretsmanager_secret" "api" {
  count = var.take_orders ? 1 : 0

  name                    = "${var.name}/api"
  description             = "API of ${var.name}: token"
  recovery_window_in_days = 0 # take_orders may be switched off and on again at once
}

resource "aws_secretsmanager_secret_version" "api" {
  count = var.take_orders ? 1 : 0

  secret_id                = aws_secretsmanager_secret.api[0].id
  secret_string_wo_version = var.secrets_version
  secret_string_wo = jsonencode({
    token = var.api_token
  })
}

locals {
  # Environment variable → where ECS finds its value. The only place that names the keys.
  kafka_secrets = {
    KAFKA_BOOTSTRAP_SERVERS = "${aws_secretsmanager_secret.confluent.arn}:bootstrap_servers::"
    CONFLUENT_API_KEY       = "${aws_secretsmanager_secret.confluent.arn}:api_key::"
    CONFLUENT_API_SECRET    = "${aws_secretsmanager_secret.confluent.arn}:api_secret::"
  }
  store_secrets = {
    COUCHBASE_HOST     = "${aws_secretsmanager_secret.couchbase.arn}:host::"
    COUCHBASE_BUCKET   = "${aws_secretsmanager_secret.couchbase.arn}:bucket::"
    COUCHBASE_USERNAME = "${aws_secretsmanager_secret.couchbase.arn}:username::"
    COUCHBASE_PASSWORD = "${aws_secretsmanager_secret.couchbase.arn}:password::"
  }
  api_secrets = {
    for secret in aws_secretsmanager_secret.api : "ORDERAPP_API_TOKEN" => "${secret.arn}:token::"
  }
}
