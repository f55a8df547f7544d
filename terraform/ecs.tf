# One Fargate service for each entry of var.services, all from one image.

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_cluster" "main" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

locals {
  data_dir = "/var/lib/orderapp" # as in the Dockerfile

  # Environment variable → its value.
  settings = {
    ORDERAPP_DATA_DIR = local.data_dir
    ORDERAPP_WEB_HOST = "0.0.0.0"
    # The names that visitors reach `web` by; the load balancer passes them on as they are.
    ORDERAPP_ALLOWED_HOSTS  = join(",", compact([var.domain_name, aws_lb.web.dns_name]))
    ORDERAPP_ORDER_INTERVAL = tostring(var.order_interval)
    ORDERAPP_PAYMENT_DELAY  = tostring(var.payment_delay)
    ORDERAPP_PARTITIONS     = tostring(var.partitions)
    # ECS keeps the old tasks when new ones never get ready.
    ORDERAPP_READY_SECONDS = tostring(var.ready_seconds)
    # Published by `web` alone, which looks at all groups.
    ORDERAPP_LAG_NAMESPACE = var.publish_lag ? var.name : ""
  }
  store_settings = {
    COUCHBASE_SCOPE       = var.couchbase_scope
    COUCHBASE_COLLECTION  = var.couchbase_collection
    COUCHBASE_DURABILITY  = var.couchbase_durability
    COUCHBASE_EXPIRY_DAYS = var.couchbase_expiry_days == null ? "" : tostring(var.couchbase_expiry_days)
    # Its text, since a task is given no files.
    COUCHBASE_CA_PEM = var.couchbase_ca_file == null ? "" : file(var.couchbase_ca_file)
  }
}

resource "aws_ecs_task_definition" "service" {
  for_each = var.services

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  # Old ones stay, for tasks that still run them and for a rollback. So nothing needs
  # create_before_destroy, which would also hold for the load balancer, whose name is taken.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  # The only thing that the container may write to.
  volume {
    name = "data"
  }

  container_definitions = jsonencode([{
    name                   = each.key
    image                  = "${aws_ecr_repository.orderapp.repository_url}:${var.image_tag}"
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = !var.allow_exec # ECS Exec writes to it
    linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
    mountPoints            = [{ sourceVolume = "data", containerPath = local.data_dir, readOnly = false }]
    portMappings           = [{ containerPort = local.web_port, protocol = "tcp" }]
    # A worker that is told to stop ends within 8 s, whatever it does.
    stopTimeout = 30

    environment = [
      for name, value in merge(
        var.settings,
        { ORDERAPP_SERVICES = each.key },
        local.settings,
        each.value.store ? local.store_settings : {},
      ) :
      { name = name, value = value } if value != ""
    ]
    secrets = [
      for name, source in merge(
        local.kafka_secrets,
        each.value.store ? local.store_secrets : {},
        each.key == "web" ? local.api_secrets : {},
      ) :
      { name = name, valueFrom = source }
    ]

    healthCheck = {
      command     = ["CMD", "python", "-IS", "/usr/local/lib/orderapp/healthcheck.py"]
      interval    = 10
      timeout     = 5
      startPeriod = 60
      retries     = 3
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.tasks.name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = each.key
      }
    }
  }])
}

resource "aws_ecs_service" "service" {
  for_each = var.services

  name                               = each.key
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.service[each.key].arn
  desired_count                      = each.value.desired_count
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  enable_execute_command             = var.allow_exec
  health_check_grace_period_seconds  = each.key == "web" ? 60 : null

  network_configuration {
    subnets          = [for subnet in aws_subnet.private : subnet.id]
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = false
  }

  # New tasks that do not get healthy are given up, and the old ones stay.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # Nor are those whose answers are errors, though they are healthy.
  dynamic "alarms" {
    for_each = each.key == "web" && var.alarm_topic_arn != null ? [aws_cloudwatch_metric_alarm.web["errors"].alarm_name] : []

    content {
      alarm_names = [alarms.value]
      enable      = true
      rollback    = true
    }
  }

  dynamic "service_registries" {
    for_each = local.discovered ? [aws_service_discovery_service.tasks[each.key].arn] : []

    content {
      registry_arn = service_registries.value
    }
  }

  dynamic "load_balancer" {
    for_each = each.key == "web" ? [aws_lb_target_group.web.arn] : []

    content {
      target_group_arn = load_balancer.value
      container_name   = each.key
      container_port   = local.web_port
    }
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling's from now on
  }

  depends_on = [
    # A task that starts sooner finds no secret, may not read it, or has no listener.
    aws_secretsmanager_secret_version.confluent,
    aws_secretsmanager_secret_version.couchbase,
    aws_secretsmanager_secret_version.api,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.api,
    aws_lb_listener.https,
    aws_lb_listener.plain,
    # Its way to the image, the secrets, Kafka and Couchbase. Also when all is destroyed: tasks
    # that finish their work keep it.
    aws_route.internet,
    aws_route.outbound,
    aws_route_table_association.public,
    aws_route_table_association.private,
    aws_vpc_endpoint.s3,
    aws_vpc_endpoint.aws,
    aws_vpc_security_group_ingress_rule.endpoints_from_tasks,
    aws_vpc_security_group_ingress_rule.tasks_from_alb,
    aws_vpc_security_group_ingress_rule.tasks_from_prometheus,
    aws_vpc_security_group_egress_rule.alb_to_tasks,
    aws_vpc_security_group_egress_rule.tasks_to_clusters,
    aws_vpc_security_group_egress_rule.tasks_to_collector,
    aws_vpc_security_group_egress_rule.tasks_to_aws,
  ]
}
