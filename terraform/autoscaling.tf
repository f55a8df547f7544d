# How many tasks. Every service is registered, so that its limits hold; those whose limits are
# apart scale. Kafka spreads the partitions over the tasks that there are.

locals {
  scaling   = { for name, service in var.services : name => service if service.max_count > service.desired_count }
  consumers = { for name, service in local.scaling : name => service if service.consumes }
}

resource "aws_appautoscaling_target" "service" {
  for_each = var.services

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.service[each.key].name}"
  min_capacity       = each.value.desired_count
  # More tasks than partitions would get no orders.
  max_capacity = each.value.consumes ? min(each.value.max_count, var.partitions) : each.value.max_count
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = local.scaling

  name               = "${var.name}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.service[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.service[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.service[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value = var.cpu_target_percent
    # Each change moves partitions, which costs a moment: quick up, slow down.
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "lag" {
  for_each = var.lag_metric == null ? {} : local.consumers

  name               = "${var.name}-${each.key}-lag"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.service[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.service[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.service[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.lag_metric.target_per_task
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    # The group's lag, shared by the tasks that run.
    customized_metric_specification {
      metrics {
        id          = "per_task"
        label       = "Orders that wait for each task"
        expression  = "lag / FILL(tasks, 1)"
        return_data = true
      }

      metrics {
        id          = "lag"
        return_data = false

        metric_stat {
          stat = "Maximum"

          metric {
            namespace   = var.lag_metric.namespace
            metric_name = var.lag_metric.metric_name

            dimensions {
              name  = "group"
              value = "${each.key}-group"
            }
          }
        }
      }

      metrics {
        id          = "tasks"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "ECS/ContainerInsights"
            metric_name = "RunningTaskCount"

            dimensions {
              name  = "ClusterName"
              value = aws_ecs_cluster.main.name
            }

            dimensions {
              name  = "ServiceName"
              value = aws_ecs_service.service[each.key].name
            }
          }
        }
      }
    }
  }
}
