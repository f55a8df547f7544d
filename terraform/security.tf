# Who may talk to whom. Every rule stands alone, so that changing one leaves the others in force.

locals {
  # Documents; management, views, queries, search, analytics, eventing.
  couchbase_ports = {
    tls = {
      couchbase-data     = { from = 11207, to = 11207 }
      couchbase-services = { from = 18091, to = 18096 }
    }
    plain = {
      couchbase-data     = { from = 11210, to = 11210 }
      couchbase-services = { from = 8091, to = 8096 }
    }
  }
  # What tasks connect to outside.
  cluster_ports = merge(
    { kafka = { from = 9092, to = 9092 } },
    local.couchbase_ports[var.couchbase_tls ? "tls" : "plain"],
  )
  cluster_rules = {
    for pair in setproduct(keys(local.cluster_ports), var.cluster_cidrs) :
    "${pair[0]} ${pair[1]}" => merge(local.cluster_ports[pair[0]], { name = pair[0], cidr = pair[1] })
  }
  # 80 answers with a redirect when there is a certificate.
  web_ports = local.https ? [80, 443] : [80]
  web_rules = {
    for pair in setproduct(local.web_ports, var.visitor_cidrs) :
    "${pair[0]} ${pair[1]}" => { port = pair[0], cidr = pair[1] }
  }
}

resource "aws_security_group" "alb" {
  name_prefix = "${var.name}-alb-"
  description = "Load balancer: visitors in, tasks out"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-alb" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "visitors" {
  for_each = local.web_rules

  security_group_id = aws_security_group.alb.id
  description       = "Visitors"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "alb_to_tasks" {
  security_group_id            = aws_security_group.alb.id
  description                  = "Web tasks"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = local.web_port
  to_port                      = local.web_port
}

resource "aws_security_group" "tasks" {
  name_prefix = "${var.name}-tasks-"
  description = "Tasks: the load balancer in; Kafka, Couchbase and AWS out"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-tasks" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "tasks_from_alb" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "Load balancer"
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = local.web_port
  to_port                      = local.web_port
}

resource "aws_vpc_security_group_ingress_rule" "tasks_from_prometheus" {
  for_each = toset(var.metrics_cidrs)

  security_group_id = aws_security_group.tasks.id
  description       = "Prometheus"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.web_port
  to_port           = local.web_port
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_clusters" {
  for_each = local.cluster_rules

  security_group_id = aws_security_group.tasks.id
  description       = each.value.name
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.from
  to_port           = each.value.to
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_collector" {
  for_each = toset(var.collector_cidrs)

  security_group_id = aws_security_group.tasks.id
  description       = "OpenTelemetry collector"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 4318
  to_port           = 4318
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_aws" {
  security_group_id = aws_security_group.tasks.id
  description       = "AWS: registry, secrets, logs"
  cidr_ipv4         = "0.0.0.0/0" # AWS has no short list of its addresses
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_security_group" "endpoints" {
  name_prefix = "${var.name}-endpoints-"
  description = "Interface endpoints: tasks in"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-endpoints" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_tasks" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "Tasks"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
