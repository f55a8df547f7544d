# What a production stack is, applied to a provider that only pretends: nothing is created, and
# no credentials are needed. `terraform init -backend=false && terraform test`

mock_provider "aws" {
  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }

  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "111122223333" }
  }

  override_resource {
    target = aws_secretsmanager_secret.confluent
    values = { arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:orderapp/confluent-AbCdEf" }
  }

  override_resource {
    target = aws_secretsmanager_secret.couchbase
    values = { arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:orderapp/couchbase-AbCdEf" }
  }

  override_resource {
    target = aws_ecr_repository.orderapp
    values = {
      arn            = "arn:aws:ecr:eu-central-1:111122223333:repository/orderapp"
      repository_url = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/orderapp"
    }
  }

  override_resource {
    target = aws_cloudwatch_log_group.tasks
    values = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/orderapp" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orderapp/0123456789abcdef"
      dns_name = "orderapp-1.eu-central-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/orderapp-web/0123456789abcdef" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/orderapp/0123456789abcdef/0123456789abcdef" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/orderapp" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:111122223333:task-definition/orderapp:1" }
  }

  mock_resource "aws_service_discovery_service" {
    defaults = { arn = "arn:aws:servicediscovery:eu-central-1:111122223333:service/srv-0123456789abcdef" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { id = "arn:aws:ecs:eu-central-1:111122223333:cluster/orderapp" }
  }
}

# Nothing is asked of it: compare_secrets is off.
provider "aws" {
  alias                       = "reading"
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
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
  # Terraform 1.11 applies no test without a value for each ephemeral variable.
  api_token = ""
  # A provider that only pretends has no ephemeral resources.
  compare_secrets = false
}

run "as_it_is_by_default" {
  assert {
    condition     = toset(keys(aws_ecs_service.service)) == toset(["producer", "fraud", "payment", "analytics", "web"])
    error_message = "There must be one service for each of producer, fraud, payment, analytics and web."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.service : !service.network_configuration[0].assign_public_ip])
    error_message = "No task may have a public address."
  }

  assert {
    condition = alltrue([
      for service in aws_ecs_service.service :
      toset(service.network_configuration[0].subnets) == toset([for subnet in aws_subnet.private : subnet.id])
    ])
    error_message = "Tasks belong into the private subnets."
  }

  assert {
    condition = alltrue([
      for service in aws_ecs_service.service :
      service.deployment_circuit_breaker[0].enable && service.deployment_circuit_breaker[0].rollback
    ])
    error_message = "A deployment that fails must be rolled back."
  }

  assert {
    condition = alltrue([
      for name, service in aws_ecs_service.service :
      length(service.load_balancer) == (name == "web" ? 1 : 0)
    ])
    error_message = "The load balancer leads to web, and to nothing else."
  }

  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.service :
      { for secret in jsondecode(task.container_definitions)[0].secrets : secret.name => secret.valueFrom } == merge(
        {
          KAFKA_BOOTSTRAP_SERVERS = "${aws_secretsmanager_secret.confluent.arn}:bootstrap_servers::${aws_secretsmanager_secret_version.confluent.version_id}"
          CONFLUENT_API_KEY       = "${aws_secretsmanager_secret.confluent.arn}:api_key::${aws_secretsmanager_secret_version.confluent.version_id}"
          CONFLUENT_API_SECRET    = "${aws_secretsmanager_secret.confluent.arn}:api_secret::${aws_secretsmanager_secret_version.confluent.version_id}"
        },
        contains(["analytics", "web"], name) ? {
          COUCHBASE_HOST     = "${aws_secretsmanager_secret.couchbase.arn}:host::${aws_secretsmanager_secret_version.couchbase.version_id}"
          COUCHBASE_BUCKET   = "${aws_secretsmanager_secret.couchbase.arn}:bucket::${aws_secretsmanager_secret_version.couchbase.version_id}"
          COUCHBASE_USERNAME = "${aws_secretsmanager_secret.couchbase.arn}:username::${aws_secretsmanager_secret_version.couchbase.version_id}"
          COUCHBASE_PASSWORD = "${aws_secretsmanager_secret.couchbase.arn}:password::${aws_secretsmanager_secret_version.couchbase.version_id}"
        } : {}
      )
    ])
    error_message = "Every secret of a task must come from its key, and only from there."
  }

  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.service :
      [for variable in jsondecode(task.container_definitions)[0].environment : variable.value if variable.name == "ORDERAPP_SERVICES"] == [name]
    ])
    error_message = "Each task must run the service that it is named after."
  }

  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.service :
      { for variable in jsondecode(task.container_definitions)[0].environment : variable.name => variable.value if startswith(variable.name, "COUCHBASE_") } == merge(
        contains(["analytics", "web"], name) ? {
          COUCHBASE_SCOPE      = "_default"
          COUCHBASE_COLLECTION = "_default"
          COUCHBASE_DURABILITY = "majority"
        } : {},
        {}
      )
    ])
    error_message = "Who opens the store must be told where in it and how, and nobody else."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service :
      jsondecode(task.container_definitions)[0].readonlyRootFilesystem
      && jsondecode(task.container_definitions)[0].user == "10001:10001"
      && jsondecode(task.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "Containers must be read-only, without root and without capabilities."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service :
      jsondecode(task.container_definitions)[0].image == "111122223333.dkr.ecr.eu-central-1.amazonaws.com/orderapp:0.1.0"
    ])
    error_message = "All services must run the same image, by its tag."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Resource
      if contains(statement.Action, "secretsmanager:GetSecretValue")
    ])) == toset([aws_secretsmanager_secret.confluent.arn, aws_secretsmanager_secret.couchbase.arn])
    error_message = "Without take_orders the execution role must read exactly the two secrets."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement :
      !contains(statement.Resource, "*") || statement.Action == ["ecr:GetAuthorizationToken"]
    ])
    error_message = "No statement of the execution role may be for everything, but the one that AWS knows no narrower resource for."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : [
        for action in statement.Action : !strcontains(action, "*")
      ]
    ]))
    error_message = "The execution role's actions must be spelled out."
  }

  assert {
    condition     = aws_lb_target_group.web.health_check[0].path == "/healthz" && aws_lb_target_group.web.port == 6066
    error_message = "The target group must ask /healthz on port 6066."
  }

  assert {
    condition     = aws_lb_listener.https[0].protocol == "HTTPS" && aws_lb_listener.https[0].port == 443
    error_message = "There must be an HTTPS listener."
  }

  assert {
    condition     = aws_lb_listener.redirect[0].default_action[0].type == "redirect" && aws_lb_listener.redirect[0].default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "HTTP must be redirected to HTTPS."
  }

  assert {
    condition     = length(aws_lb_listener.plain) == 0
    error_message = "With a certificate nothing may be served over plain HTTP."
  }

  assert {
    condition     = aws_lb.web.enable_deletion_protection && aws_lb.web.access_logs[0].enabled
    error_message = "The load balancer must be protected from deletion, and keep access logs."
  }

  assert {
    condition = (
      aws_lb_listener_rule.metrics.listener_arn == aws_lb_listener.https[0].arn
      && aws_lb_listener_rule.metrics.action[0].fixed_response[0].status_code == "404"
    )
    error_message = "Visitors must not see the metrics."
  }

  assert {
    condition     = length(aws_secretsmanager_secret.api) + length(aws_iam_role_policy.api) == 0
    error_message = "Without take_orders there is no token."
  }

  assert {
    condition = toset([
      for rule in aws_vpc_security_group_egress_rule.tasks_to_clusters : "${rule.from_port}-${rule.to_port}"
    ]) == toset(["9092-9092", "11207-11207", "18091-18096"])
    error_message = "Tasks must reach Kafka and Couchbase on their ports, and on no other."
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 1 && length(aws_route.outbound) == 2
    error_message = "One NAT gateway must serve both zones."
  }

  assert {
    condition     = length(aws_vpc_endpoint.aws) == 0
    error_message = "With NAT there are no interface endpoints to pay for."
  }

  assert {
    condition     = alltrue([for name in ["fraud", "payment", "analytics"] : aws_appautoscaling_target.service[name].max_capacity <= 6])
    error_message = "No consumer may get more tasks than there are partitions."
  }

  assert {
    condition     = toset(keys(aws_appautoscaling_policy.cpu)) == toset(["fraud", "payment", "analytics", "web"])
    error_message = "All but the producer scale on CPU."
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.orderapp.policy).rules[0].selection.tagPatternList == ["0.1.0"]
    error_message = "The image that runs must be kept."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service :
      [for variable in jsondecode(task.container_definitions)[0].environment : variable.value if contains(["ORDERAPP_PARTITIONS", "ORDERAPP_LAG_NAMESPACE"], variable.name)] == ["6"]
    ])
    error_message = "Each task must know the number of partitions, and publish no lag unasked."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.command.container_definitions)[0].entryPoint == ["faust", "-A", "orderapp"] && length(jsondecode(aws_ecs_task_definition.command.container_definitions)[0].secrets) == 7
    error_message = "A command must be one of orderapp's, with its secrets."
  }

  assert {
    condition     = length(aws_iam_role_policy.exec) == 0 && alltrue([for service in aws_ecs_service.service : !service.enable_execute_command && length(service.alarms) + length(service.service_registries) == 0])
    error_message = "Without its switch nobody may open a shell, and nobody finds the tasks."
  }

  assert {
    condition     = length(aws_appautoscaling_policy.lag) == 0
    error_message = "Without a metric nothing can scale on lag."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.web) + length(aws_cloudwatch_metric_alarm.tasks) + length(aws_cloudwatch_event_rule.deployments) == 0
    error_message = "Without a topic there is nobody to alarm."
  }
}

run "more_zones_than_there_are" {
  command = plan

  variables {
    zone_count = 4
  }

  expect_failures = [data.aws_availability_zones.available]
}

# Few runs with much in each: a run takes the provider seconds.
run "with_more_switched_on" {
  variables {
    couchbase_host        = "couchbases://db1.example.com,db2.example.com"
    couchbase_ca_file     = "tests/ca.pem"
    couchbase_scope       = "shop"
    couchbase_collection  = "orders"
    couchbase_durability  = "persistToMajority"
    couchbase_expiry_days = 400

    settings        = { ORDERAPP_MAX_ATTEMPTS = "5", OTEL_EXPORTER_OTLP_ENDPOINT = "http://10.1.0.5:4318" }
    collector_cidrs = ["10.1.0.0/24"]
    alarm_topic_arn = "arn:aws:sns:eu-central-1:111122223333:orderapp"

    allow_exec    = true
    metrics_cidrs = ["10.42.0.0/16"]
    publish_lag   = true
    partitions    = 12

    take_orders = true
    api_token   = "test-token-of-the-api"
    lag_metric  = { namespace = "orderapp", metric_name = "ConsumerLag" }
    outbound    = "nat-per-zone"
    zone_count  = 3
  }

  assert {
    condition = { for variable in jsondecode(aws_ecs_task_definition.service["analytics"].container_definitions)[0].environment : variable.name => variable.value if startswith(variable.name, "COUCHBASE_") } == {
      COUCHBASE_SCOPE       = "shop"
      COUCHBASE_COLLECTION  = "orders"
      COUCHBASE_DURABILITY  = "persistToMajority"
      COUCHBASE_EXPIRY_DAYS = "400"
      COUCHBASE_CA_PEM      = file("tests/ca.pem")
    }
    error_message = "Every setting of Couchbase must reach its task, the CA as text."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service : [
        for variable in jsondecode(task.container_definitions)[0].environment : variable.value
        if contains(["ORDERAPP_MAX_ATTEMPTS", "OTEL_EXPORTER_OTLP_ENDPOINT"], variable.name)
      ] == ["5", "http://10.1.0.5:4318"]
    ])
    error_message = "Further settings must reach every task."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.web), values(aws_cloudwatch_metric_alarm.tasks)) :
      tolist(alarm.alarm_actions) == tolist(["arn:aws:sns:eu-central-1:111122223333:orderapp"])
    ]) && { for name, alarm in aws_cloudwatch_metric_alarm.tasks : name => alarm.threshold } == { analytics = 1, fraud = 1, payment = 1, producer = 1, web = 2 }
    error_message = "The topic must hear of every service that lacks tasks."
  }

  assert {
    condition     = aws_cloudwatch_event_target.deployments[0].arn == "arn:aws:sns:eu-central-1:111122223333:orderapp" && length(jsondecode(aws_cloudwatch_event_rule.deployments[0].event_pattern).resources) == 5
    error_message = "The topic must hear of every failed deployment."
  }

  assert {
    condition     = { for name, service in aws_ecs_service.service : name => one(service.alarms[*].alarm_names) if length(service.alarms) > 0 } == { web = toset(["orderapp-web-errors"]) }
    error_message = "A deployment of web that answers with errors must be rolled back."
  }

  assert {
    condition = alltrue([
      for task in concat(values(aws_ecs_task_definition.service), [aws_ecs_task_definition.command]) :
      !jsondecode(task.container_definitions)[0].readonlyRootFilesystem
    ]) && alltrue([for service in aws_ecs_service.service : service.enable_execute_command]) && aws_iam_role_policy.exec[0].role == aws_iam_role.task.id
    error_message = "ECS Exec needs a file system to write to, and its rights."
  }

  assert {
    condition     = toset(keys(aws_service_discovery_service.tasks)) == toset(keys(aws_ecs_service.service)) && alltrue([for service in aws_ecs_service.service : length(service.service_registries) == 1]) && aws_service_discovery_private_dns_namespace.tasks[0].name == "orderapp.internal"
    error_message = "Prometheus must find the tasks of every service."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.tasks_from_prometheus : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"] == ["10.42.0.0/16 6066-6066"]
    error_message = "Prometheus must reach the tasks' metrics."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service :
      { for variable in jsondecode(task.container_definitions)[0].environment : variable.name => variable.value if contains(["ORDERAPP_PARTITIONS", "ORDERAPP_LAG_NAMESPACE"], variable.name) } == { ORDERAPP_PARTITIONS = "12", ORDERAPP_LAG_NAMESPACE = "orderapp" }
    ])
    error_message = "The program must make as many partitions as are set, and publish the lag."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.tasks_to_collector : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"] == ["10.1.0.0/24 4318-4318"]
    error_message = "Tasks must reach the collector, on its port alone."
  }

  assert {
    condition = (
      length(output.subnets.private) == 3 && length(output.route_tables) == 3
      && output.vpc == aws_vpc.main.id && output.security_groups.tasks == aws_security_group.tasks.id
    )
    error_message = "What a peering needs must be said."
  }

  assert {
    condition = [
      for name, task in aws_ecs_task_definition.service : name
      if contains([for secret in jsondecode(task.container_definitions)[0].secrets : secret.name], "ORDERAPP_API_TOKEN")
    ] == ["web"]
    error_message = "web gets the token, and nobody else does."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.api[0].policy).Statement[0].Resource == [aws_secretsmanager_secret.api[0].arn]
    error_message = "The execution role must read the token."
  }

  assert {
    condition     = toset(keys(aws_appautoscaling_policy.lag)) == toset(["fraud", "payment", "analytics"])
    error_message = "With a metric the consumers scale on lag too."
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 3 && length(toset([for route in aws_route.outbound : route.nat_gateway_id])) == 3
    error_message = "Each zone must have a NAT gateway of its own, and use it."
  }
}

run "without_certificate_and_internet" {
  variables {
    certificate_arn  = null
    allow_plain_http = true
    outbound         = "endpoints"
    couchbase_host   = "couchbase://db.internal"
    couchbase_tls    = false
    allow_exec       = true
  }

  assert {
    condition = toset([
      for rule in aws_vpc_security_group_egress_rule.tasks_to_clusters : "${rule.from_port}-${rule.to_port}"
    ]) == toset(["9092-9092", "11210-11210", "8091-8096"])
    error_message = "Without TLS tasks must reach Couchbase on those ports, and on no other."
  }

  assert {
    condition     = length(aws_lb_listener.plain) == 1 && length(aws_lb_listener.https) + length(aws_lb_listener.redirect) == 0
    error_message = "Plain HTTP must have one listener, and no redirect to nowhere."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.visitors : rule.from_port]) == toset([80])
    error_message = "Without a certificate only port 80 is open."
  }

  assert {
    condition     = length(aws_nat_gateway.main) + length(aws_route.outbound) == 0
    error_message = "With endpoints no task may have a route to the Internet."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.aws)) == toset(["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssmmessages"])
    error_message = "Tasks need the registry, the log and the secrets, and ECS Exec its sessions."
  }
}
