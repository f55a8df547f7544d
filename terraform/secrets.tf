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
  secret_string_wo         = local.given.confluent
}

resource "aws_secretsmanager_secret" "couchbase" {
  name                    = "${var.name}/couchbase"
  description             = "Couchbase of ${var.name}: host, bucket, username, password"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "couchbase" {
  secret_id                = aws_secretsmanager_secret.couchbase.id
  secret_string_wo_version = var.secrets_version
  secret_string_wo         = local.given.couchbase
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
  secret_string_wo         = local.given.api
}

# What was written with this secrets_version. Like the values that are given, it is in no state
# and no plan; a version that is yet to be written is read after that.
ephemeral "aws_secretsmanager_secret_version" "written" {
  provider = aws.reading
  for_each = var.compare_secrets ? local.versions : {}

  secret_id  = each.value.secret_id
  version_id = each.value.version_id
}

locals {
  given = {
    confluent = jsonencode({
      bootstrap_servers = var.confluent_bootstrap_servers
      api_key           = var.confluent_api_key
      api_secret        = var.confluent_api_secret
    })
    couchbase = jsonencode({
      host     = var.couchbase_host
      bucket   = var.couchbase_bucket
      username = var.couchbase_username
      password = var.couchbase_password
    })
    api = jsonencode({
      token = var.api_token
    })
  }
  # Otherwise a plan would pass over a changed value without a word. Who is given the right to
  # read the secrets asks for it: Terraform's JSON knows no conditions of ephemeral resources.
  as_written = {
    for name, given in local.given :
    name => try(ephemeral.aws_secretsmanager_secret_version.written[name].secret_string == given, true)
  }
  versions = merge(
    {
      confluent = aws_secretsmanager_secret_version.confluent
      couchbase = aws_secretsmanager_secret_version.couchbase
    },
    { for version in aws_secretsmanager_secret_version.api : "api" => version },
  )
  # A task definition names the version that it was made with, so that ECS goes back to those
  # values too when it goes back to it.
  read = {
    for name, version in local.versions : name => var.secrets_previous ? "AWSPREVIOUS:" : ":${version.version_id}"
  }

  # Environment variable → where ECS finds its value. The only place that names the keys.
  kafka_secrets = {
    KAFKA_BOOTSTRAP_SERVERS = "${aws_secretsmanager_secret.confluent.arn}:bootstrap_servers:${local.read.confluent}"
    CONFLUENT_API_KEY       = "${aws_secretsmanager_secret.confluent.arn}:api_key:${local.read.confluent}"
    CONFLUENT_API_SECRET    = "${aws_secretsmanager_secret.confluent.arn}:api_secret:${local.read.confluent}"
  }
  store_secrets = {
    COUCHBASE_HOST     = "${aws_secretsmanager_secret.couchbase.arn}:host:${local.read.couchbase}"
    COUCHBASE_BUCKET   = "${aws_secretsmanager_secret.couchbase.arn}:bucket:${local.read.couchbase}"
    COUCHBASE_USERNAME = "${aws_secretsmanager_secret.couchbase.arn}:username:${local.read.couchbase}"
    COUCHBASE_PASSWORD = "${aws_secretsmanager_secret.couchbase.arn}:password:${local.read.couchbase}"
  }
  api_secrets = {
    for secret in aws_secretsmanager_secret.api : "ORDERAPP_API_TOKEN" => "${secret.arn}:token:${local.read.api}"
  }
}
