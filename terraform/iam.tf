# Two roles. The execution role is what ECS itself needs to start a task; the task role is what
# the program may do in AWS, which is nothing: it talks to Kafka and Couchbase only. (With allow_exec the latter may open
# the sessions of ECS Exec.)

locals {
  assumed_by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

data "aws_caller_identity" "current" {}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "ECS pulls the image, reads the secrets and writes the log with it"
  assume_role_policy = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "execution" {
  name = "start-tasks"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadSecrets"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue"]
        Resource = [
          aws_secretsmanager_secret.confluent.arn,
          aws_secretsmanager_secret.couchbase.arn,
        ]
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [aws_ecr_repository.orderapp.arn]
      },
      {
        # AWS knows no narrower resource for this one.
        Sid      = "LogInToRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.tasks.arn}:log-stream:*"]
      },
    ]
  })

  lifecycle {
    precondition {
      condition     = local.as_written.confluent
      error_message = "A value of the secret ${var.name}/confluent differs from what was written with secrets_version = ${var.secrets_version}. Raise secrets_version to write the values that are given now, or give those of before."
    }

    precondition {
      condition     = local.as_written.couchbase
      error_message = "A value of the secret ${var.name}/couchbase differs from what was written with secrets_version = ${var.secrets_version}. Raise secrets_version to write the values that are given now, or give those of before."
    }
  }
}

resource "aws_iam_role_policy" "api" {
  count = var.take_orders ? 1 : 0

  name = "read-api-token"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "ReadToken"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [aws_secretsmanager_secret.api[0].arn]
    }]
  })

  lifecycle {
    precondition {
      condition     = local.as_written.api
      error_message = "A value of the secret ${var.name}/api differs from what was written with secrets_version = ${var.secrets_version}. Raise secrets_version to write the values that are given now, or give those of before."
    }
  }
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "The program's own rights in AWS: none"
  assume_role_policy = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "exec" {
  count = var.allow_exec ? 1 : 0

  name = "exec"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # AWS knows no narrower resource for these.
      Sid    = "TalkToSessionManager"
      Effect = "Allow"
      Action = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      Resource = ["*"]
    }]
  })
}
