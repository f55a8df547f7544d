# Names by which a Prometheus finds all tasks of a service: fraud.orderapp.internal has the
# address of each.

locals {
  discovered = length(var.metrics_cidrs) > 0
}

resource "aws_service_discovery_private_dns_namespace" "tasks" {
  count = local.discovered ? 1 : 0

  name        = "${var.name}.internal"
  description = "Tasks of ${var.name}, for Prometheus"
  vpc         = aws_vpc.main.id
}

resource "aws_service_discovery_service" "tasks" {
  for_each = local.discovered ? var.services : {}

  name          = each.key
  force_destroy = true # tasks that have just gone may still be in it

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.tasks[0].id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }

  # ECS says which are healthy.
  health_check_custom_config {
    failure_threshold = 1
  }

  # When names are switched off, the services are told so first.
  lifecycle {
    create_before_destroy = true
  }
}
