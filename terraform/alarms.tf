# What somebody should know at once, sent to an SNS topic of yours; none without one.

locals {
  alarms = var.alarm_topic_arn == null ? {} : {
    errors = {
      description = "Web tasks answer with errors (5xx)."
      metric      = "HTTPCode_Target_5XX_Count"
      statistic   = "Sum"
      above       = 10
      periods     = 1
    }
    no-answer = {
      description = "The load balancer itself answers with errors (5xx): no web task does."
      metric      = "HTTPCode_ELB_5XX_Count"
      statistic   = "Sum"
      above       = 10
      periods     = 1
    }
    unhealthy = {
      description = "A web task is unhealthy."
      metric      = "UnHealthyHostCount"
      statistic   = "Maximum"
      above       = 0
      periods     = 2 # a task that is replaced is none
    }
  }
  # Those with tasks that should be there.
  watched = var.alarm_topic_arn == null ? {} : {
    for name, service in var.services : name => service if service.desired_count > 0
  }
}

resource "aws_cloudwatch_metric_alarm" "web" {
  for_each = local.alarms

  alarm_name          = "${var.name}-web-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 300
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching" # nobody has asked
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  dimensions = merge(
    { LoadBalancer = aws_lb.web.arn_suffix },
    each.key == "no-answer" ? {} : { TargetGroup = aws_lb_target_group.web.arn_suffix },
  )
}

resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each = local.watched

  alarm_name          = "${var.name}-${each.key}-tasks"
  alarm_description   = "${each.key} has had fewer tasks than its desired_count for 10 minutes."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  statistic           = "Average"
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.desired_count
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "breaching" # nothing is counted where nothing runs
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  dimensions = {
    ClusterName = aws_ecs_cluster.main.name
    ServiceName = aws_ecs_service.service[each.key].name
  }
}

# A deployment that was given up, and rolled back.
resource "aws_cloudwatch_event_rule" "deployments" {
  count = var.alarm_topic_arn == null ? 0 : 1

  name        = "${var.name}-failed-deployments"
  description = "Deployments that the circuit breaker has given up"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change"]
    resources   = [for service in aws_ecs_service.service : service.id]
    detail      = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "deployments" {
  count = var.alarm_topic_arn == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.deployments[0].name
  arn  = var.alarm_topic_arn
}
