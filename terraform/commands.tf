# Commands of orderapp (dlq, reconcile, rules, send, …), each as a task that runs once:
# `terraform output -raw run_command`.

resource "aws_ecs_task_definition" "command" {
  family                   = "${var.name}-command"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  skip_destroy             = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  volume {
    name = "data"
  }

  container_definitions = jsonencode([{
    name                   = "command"
    image                  = "${aws_ecr_repository.orderapp.repository_url}:${var.image_tag}"
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = !var.allow_exec
    linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
    mountPoints            = [{ sourceVolume = "data", containerPath = local.data_dir, readOnly = false }]
    stopTimeout            = 30

    # The image's own entry point is the worker. Who runs a task says what comes after this one.
    entryPoint = ["faust", "-A", "orderapp"]
    command    = ["doctor"]

    # What analytics is given: Kafka and the store.
    environment = [
      for name, value in merge(
        var.settings,
        { ORDERAPP_SERVICES = "analytics" },
        local.settings,
        local.store_settings,
      ) :
      { name = name, value = value } if value != ""
    ]
    secrets = [
      for name, source in merge(local.kafka_secrets, local.store_secrets) :
      { name = name, valueFrom = source }
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.tasks.name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = "command"
      }
    }
  }])
}
