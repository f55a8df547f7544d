# A value that can't be right stops the plan, with the variable's own text.

mock_provider "aws" {
  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
}

variables {
  region          = "eu-central-1"
  image_tag       = "0.1.0"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"

  confluent_bootstrap_servers = "pkc-test.eu-central-1.aws.confluent.cloud:9092"
  confluent_api_key           = "TESTKEY"
  confluent_api_secret        = "test-secret"
  couchbase_host              = "cb.test.cloud.couchbase.com"
  couchbase_bucket            = "orders"
  couchbase_username          = "orderapp"
  couchbase_password          = "test-password"
}

run "host_with_a_scheme" {
  command = plan

  variables {
    couchbase_host = "couchbases://cb.test.cloud.couchbase.com"
  }

  expect_failures = [var.couchbase_host]
}

run "bucket_with_a_space" {
  command = plan

  variables {
    couchbase_bucket = "my orders"
  }

  expect_failures = [var.couchbase_bucket]
}

run "servers_with_a_scheme" {
  command = plan

  variables {
    confluent_bootstrap_servers = "SASL_SSL://pkc-test.eu-central-1.aws.confluent.cloud:9092"
  }

  expect_failures = [var.confluent_bootstrap_servers]
}

run "empty_secret" {
  command = plan

  variables {
    confluent_api_secret = ""
  }

  expect_failures = [var.confluent_api_secret]
}

run "orders_without_a_token" {
  command = plan

  variables {
    take_orders = true
  }

  expect_failures = [var.api_token]
}

run "latest" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "more_tasks_than_partitions" {
  command = plan

  variables {
    services = {
      payment = { desired_count = 7, max_count = 7 }
      web     = { desired_count = 1, max_count = 1, consumes = false, store = true }
    }
  }

  expect_failures = [var.services]
}

run "plain_http_by_accident" {
  command = plan

  variables {
    certificate_arn = null
  }

  expect_failures = [var.certificate_arn]
}
