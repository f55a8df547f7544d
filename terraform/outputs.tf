output "url" {
  description = "The web view."
  value       = "${local.https ? "https" : "http"}://${coalesce(var.domain_name, aws_lb.web.dns_name)}"
}

output "load_balancer" {
  description = "Host name for the CNAME or alias record of domain_name."
  value       = aws_lb.web.dns_name
}

output "repository" {
  description = "The image's home."
  value       = aws_ecr_repository.orderapp.repository_url
}

output "push_image" {
  description = "Commands that build the image and push it, to be run where the Dockerfile is."
  value       = <<-EOT
    aws ecr get-login-password --region ${var.region} | docker login --username AWS --password-stdin ${split("/", aws_ecr_repository.orderapp.repository_url)[0]}
    docker build --platform ${var.cpu_architecture == "ARM64" ? "linux/arm64" : "linux/amd64"} --build-arg VERSION=${var.image_tag} -t ${aws_ecr_repository.orderapp.repository_url}:${var.image_tag} .
    docker push ${aws_ecr_repository.orderapp.repository_url}:${var.image_tag}
  EOT
}

output "run_command" {
  description = "Runs a command of orderapp once, as a task of its own, such as `dlq list`; its last line holds the command, word by word."
  value       = <<-EOT
    aws ecs run-task --region ${var.region} --cluster ${aws_ecs_cluster.main.name} --launch-type FARGATE --task-definition ${aws_ecs_task_definition.command.family} \
      --network-configuration '${jsonencode({ awsvpcConfiguration = { subnets = [for subnet in aws_subnet.private : subnet.id], securityGroups = [aws_security_group.tasks.id], assignPublicIp = "DISABLED" } })}' \
      --overrides '${jsonencode({ containerOverrides = [{ name = "command", command = ["dlq", "list"] }] })}'
  EOT
}

output "cluster" {
  description = "The ECS cluster, for `aws ecs` commands."
  value       = aws_ecs_cluster.main.name
}

output "log_group" {
  description = "Where the tasks' logs are: `aws logs tail --follow` shows them."
  value       = aws_cloudwatch_log_group.tasks.name
}

output "outbound_addresses" {
  description = "The tasks' public addresses: allow these in Capella. Empty without NAT."
  value       = [for address in aws_eip.nat : address.public_ip]
}

output "vpc" {
  description = "The VPC's id, for peering."
  value       = aws_vpc.main.id
}

output "subnets" {
  description = "Ids of the subnets: public, of the load balancer; private, of the tasks."
  value = {
    public  = [for subnet in aws_subnet.public : subnet.id]
    private = [for subnet in aws_subnet.private : subnet.id]
  }
}

output "route_tables" {
  description = "Ids of the tasks' route tables, one in each zone: a peering needs a route in each."
  value       = [for table in aws_route_table.private : table.id]
}

output "security_groups" {
  description = "Ids of the security groups: of the load balancer, and of the tasks, which a Prometheus in the VPC has to be let into (port 6066)."
  value       = { load_balancer = aws_security_group.alb.id, tasks = aws_security_group.tasks.id }
}
