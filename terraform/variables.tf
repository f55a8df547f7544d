# Variables without a default are asked for by `terraform apply`, or come from TF_VAR_… or a
# .tfvars file. The eight at the end are ephemeral: Terraform keeps them in neither its state nor
# its plans, and they never belong into a file.

variable "region" {
  description = "AWS region, best that of the Confluent and Capella clusters, such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as eu-central-1."
  }
}

variable "image_tag" {
  description = "Tag of the image in the ECR repository, such as 0.1.0. Tags are immutable, so each release has its own."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && lower(var.image_tag) != "latest"
    error_message = "image_tag must be a tag of one release, such as 0.1.0, and not latest: a rollback needs to know what ran before."
  }
}

variable "name" {
  description = "Prefix of the names of all resources."
  type        = string
  default     = "orderapp"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and dashes, beginning with a letter."
  }

  validation {
    condition     = !can(regex("^(internal|sthree)-|--", var.name))
    error_message = "name must not have two dashes side by side, nor begin with internal- or sthree-: no registry, load balancer or bucket can be called so."
  }
}

variable "tags" {
  description = "Further tags of all resources."
  type        = map(string)
  default     = {}
}

# -- Services -----------------------------------------------------------------------------------

variable "services" {
  description = <<-EOT
    One ECS service for each entry; its name is what ORDERAPP_SERVICES gets, so a new service of
    orderapp is one line here. desired_count is where scaling starts and its lower end, max_count
    its upper end; services with the same two do not scale. consumes: reads topics, so that more
    tasks than partitions would have nothing to do. store: is given the Couchbase secret.
  EOT
  type = map(object({
    desired_count = number
    max_count     = number
    cpu           = optional(number, 256)
    memory        = optional(number, 512)
    consumes      = optional(bool, true)
    store         = optional(bool, false)
  }))
  default = {
    producer  = { desired_count = 1, max_count = 1, consumes = false }
    fraud     = { desired_count = 1, max_count = 6 }
    payment   = { desired_count = 1, max_count = 6 }
    analytics = { desired_count = 1, max_count = 6, store = true }
    web       = { desired_count = 2, max_count = 4, consumes = false, store = true }
  }

  validation {
    condition     = alltrue([for name, _ in var.services : can(regex("^[a-z][a-z0-9]{0,19}$", name))]) && contains(keys(var.services), "web")
    error_message = "services must have names of lower-case letters and digits, and web among them."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      service.desired_count >= 0 && service.max_count >= service.desired_count && service.max_count >= 1 &&
      floor(service.desired_count) == service.desired_count && floor(service.max_count) == service.max_count
    ])
    error_message = "services: desired_count must be a whole number from 0 to max_count, and max_count at least 1."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) : contains(lookup({
        256   = [512, 1024, 2048]
        512   = range(1024, 4097, 1024)
        1024  = range(2048, 8193, 1024)
        2048  = range(4096, 16385, 1024)
        4096  = range(8192, 30721, 1024)
        8192  = range(16384, 61441, 4096)
        16384 = range(32768, 122881, 8192)
      }, service.cpu, []), service.memory)
    ])
    error_message = "services: cpu and memory must be a pair that Fargate has: 256 with 512, 1024 or 2048; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720, each in steps of 1024; 8192 with 16384 to 61440 in steps of 4096; 16384 with 32768 to 122880 in steps of 8192."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) : !service.consumes || max(service.desired_count, service.max_count) <= var.partitions
    ])
    error_message = "services: desired_count and max_count of a service that consumes must not be above the number of partitions (${var.partitions}): further tasks would get no orders."
  }
}

variable "partitions" {
  description = "Partitions that topics are created with (ORDERAPP_PARTITIONS): the ceiling of every service that consumes. Topics that exist keep theirs: raise those in Kafka first."
  type        = number
  default     = 6

  validation {
    condition     = var.partitions >= 1 && var.partitions <= 1000 && floor(var.partitions) == var.partitions
    error_message = "partitions must be a whole number from 1 to 1000."
  }
}

variable "order_interval" {
  description = "Seconds between two generated orders (ORDERAPP_ORDER_INTERVAL)."
  type        = number
  default     = 2

  validation {
    condition     = var.order_interval >= 0.001 && var.order_interval <= 86400
    error_message = "order_interval must be a number of seconds from 0.001 to 86400."
  }
}

variable "ready_seconds" {
  description = "Seconds that a new task may take to reach Kafka and its store; then it is not healthy, and ECS takes the deployment back (ORDERAPP_READY_SECONDS)."
  type        = number
  default     = 300

  validation {
    condition     = var.ready_seconds >= 30 && var.ready_seconds <= 86400
    error_message = "ready_seconds must be a number of seconds from 30 to 86400."
  }
}

variable "payment_delay" {
  description = "Seconds that the simulated payment gateway takes (ORDERAPP_PAYMENT_DELAY)."
  type        = number
  default     = 0.1

  validation {
    condition     = var.payment_delay >= 0 && var.payment_delay <= 86400
    error_message = "payment_delay must be a number of seconds from 0 to 86400."
  }
}

variable "settings" {
  description = "Further settings of all services, ORDERAPP_… and OTEL_…, such as { ORDERAPP_MAX_ATTEMPTS = \"5\" }. No secrets: they are in the state and in the task definitions."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, _ in var.settings : can(regex("^(ORDERAPP|OTEL)_[A-Z0-9_]+$", name))])
    error_message = "settings must have names that begin with ORDERAPP_ or OTEL_, in upper case; others have a variable of their own."
  }

  validation {
    condition     = alltrue([for name, _ in var.settings : !can(regex("(TOKEN|PASSWORD|SECRET|HEADERS|API_KEY)$", name))])
    error_message = "settings must not have a token, a password or headers: everybody who sees a task definition reads them."
  }

  validation {
    condition = alltrue([for name, _ in var.settings : !contains([
      "ORDERAPP_SERVICES", "ORDERAPP_DATA_DIR", "ORDERAPP_WEB_HOST", "ORDERAPP_ALLOWED_HOSTS",
      "ORDERAPP_ORDER_INTERVAL", "ORDERAPP_PARTITIONS", "ORDERAPP_PAYMENT_DELAY", "ORDERAPP_READY_SECONDS",
      "ORDERAPP_LAG_NAMESPACE",
    ], name)])
    error_message = "settings must not have what follows from other variables: services, domain_name, order_interval, partitions, payment_delay, publish_lag, ready_seconds; nor where the data directory is, nor where tasks listen."
  }
}

variable "allow_exec" {
  description = "Let ECS Exec open a shell in tasks, to look into a fault: their root file system can then be written to, and their role may talk to Session Manager. Switch it off afterwards."
  type        = bool
  default     = false
}

variable "cpu_architecture" {
  description = "X86_64, or ARM64, which costs a fifth less; the image has to be built for it."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture must be X86_64 or ARM64."
  }
}

variable "cpu_target_percent" {
  description = "Average CPU of a service's tasks above which it gets more of them."
  type        = number
  default     = 60

  validation {
    condition     = var.cpu_target_percent >= 10 && var.cpu_target_percent <= 90
    error_message = "cpu_target_percent must be from 10 to 90."
  }
}

variable "lag_metric" {
  description = "CloudWatch metric with the lag of a consumer group, in its dimension `group`, if something publishes one. Services that consume then also scale so that each task has at most target_per_task orders waiting."
  type = object({
    namespace       = string
    metric_name     = string
    target_per_task = optional(number, 10000)
  })
  default = null

  validation {
    condition     = var.lag_metric == null ? true : var.lag_metric.target_per_task >= 1
    error_message = "lag_metric.target_per_task must be at least 1."
  }
}

variable "publish_lag" {
  description = "Have `web` publish the lag of each consumer group to CloudWatch each minute: the metric ConsumerLag in the namespace that is called as `name`, which lag_metric can take."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "SNS topic for alarms: errors of the web view, unhealthy and missing tasks, failed deployments. Its policy has to let cloudwatch.amazonaws.com and events.amazonaws.com publish. Null: no alarms."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null ? true : can(regex("^arn:aws[a-z-]*:sns:${var.region}:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic in ${var.region} that is no FIFO topic."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of the tasks and of the load balancer are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

# -- Network ------------------------------------------------------------------------------------

variable "vpc_cidr" {
  description = "Addresses of the VPC, a /16 to /20."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(regex("^[0-9.]+/(1[6-9]|20)$", var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0), "") == var.vpc_cidr
    error_message = "vpc_cidr must be an IPv4 range from /16 to /20, by its first address, such as 10.42.0.0/16."
  }
}

variable "zone_count" {
  description = "Availability zones to spread over."
  type        = number
  default     = 2

  validation {
    condition     = var.zone_count >= 2 && var.zone_count <= 4 && floor(var.zone_count) == var.zone_count
    error_message = "zone_count must be 2, 3 or 4."
  }
}

variable "outbound" {
  description = <<-EOT
    How tasks in their private subnets reach Kafka, Couchbase and AWS (prices of us-east-1):
    nat: one NAT gateway, with its address about 37 USD a month, and 0.045 USD for each GB; its zone is a single
    point of failure. nat-per-zone: one in each zone, that price for each. endpoints: no way to
    the Internet at all, for clusters that are reached through peering or PrivateLink; AWS is
    reached by four interface endpoints, each about 7 USD a month and zone.
  EOT
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "nat-per-zone", "endpoints"], var.outbound)
    error_message = "outbound must be nat, nat-per-zone or endpoints."
  }
}

variable "cluster_cidrs" {
  description = "Addresses of Kafka and Couchbase, to which tasks may connect. Confluent Cloud and Capella have none that are fixed, unless they are peered."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.cluster_cidrs) > 0 && alltrue([for cidr in var.cluster_cidrs : !strcontains(cidr, ":") && try(cidrsubnet(cidr, 0, 0), "") == cidr])
    error_message = "cluster_cidrs must be IPv4 ranges, each by its first address, such as 10.0.0.0/16."
  }

  validation {
    condition     = length(distinct(var.cluster_cidrs)) == length(var.cluster_cidrs)
    error_message = "cluster_cidrs must not have a range twice."
  }
}

variable "visitor_cidrs" {
  description = "Addresses that may open the web view. The default is everybody: it shows orders, so narrow it where they are real."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.visitor_cidrs) > 0 && alltrue([for cidr in var.visitor_cidrs : !strcontains(cidr, ":") && try(cidrsubnet(cidr, 0, 0), "") == cidr])
    error_message = "visitor_cidrs must be IPv4 ranges, each by its first address, such as 203.0.113.0/24."
  }

  validation {
    condition     = length(distinct(var.visitor_cidrs)) == length(var.visitor_cidrs)
    error_message = "visitor_cidrs must not have a range twice."
  }
}

variable "collector_cidrs" {
  description = "Addresses of an OpenTelemetry collector, to whose port 4318 tasks may connect; OTEL_EXPORTER_OTLP_ENDPOINT in settings says where it is."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.collector_cidrs : !strcontains(cidr, ":") && try(cidrsubnet(cidr, 0, 0), "") == cidr])
    error_message = "collector_cidrs must be IPv4 ranges, each by its first address, such as 10.0.0.0/16."
  }

  validation {
    condition     = length(distinct(var.collector_cidrs)) == length(var.collector_cidrs)
    error_message = "collector_cidrs must not have a range twice."
  }
}

variable "metrics_cidrs" {
  description = "Addresses of a Prometheus in the VPC, or in a network that is peered with it: it may ask tasks for their metrics (port 6066), and finds them by the names SERVICE.NAME.internal. Empty: nobody may, and there are no names."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.metrics_cidrs : !strcontains(cidr, ":") && try(cidrsubnet(cidr, 0, 0), "") == cidr && cidr != "0.0.0.0/0"])
    error_message = "metrics_cidrs must be IPv4 ranges of a network of your own, each by its first address, such as 10.0.0.0/16."
  }

  validation {
    condition     = length(distinct(var.metrics_cidrs)) == length(var.metrics_cidrs)
    error_message = "metrics_cidrs must not have a range twice."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of the load balancer, in the same region."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? var.allow_plain_http : can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate; without one, allow_plain_http = true says that plain HTTP is meant."
  }

  validation {
    condition     = var.certificate_arn == null ? true : try(split(":", var.certificate_arn)[3] == var.region, true)
    error_message = "certificate_arn must be of a certificate in the same region as the load balancer, ${var.region}."
  }
}

variable "allow_plain_http" {
  description = "Serve plain HTTP when there is no certificate: for a try-out, as everybody on the way can read it."
  type        = bool
  default     = false
}

variable "domain_name" {
  description = "Name of the web view, which it answers to; the certificate's, with a CNAME or alias to the load balancer."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null ? true : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain_name))
    error_message = "domain_name must be a host name, such as orders.example.com."
  }
}

variable "deletion_protection" {
  description = "Keep the load balancer, the images and the access logs from being deleted; set it to false and apply before `terraform destroy`."
  type        = bool
  default     = true
}

# -- Couchbase, what is no secret of it ---------------------------------------------------------

variable "couchbase_tls" {
  description = "Reach Couchbase by TLS, on 11207 and 18091 to 18096. False, for couchbase:// in a network of your own: on 11210 and 8091 to 8096, and the password crosses it readable."
  type        = bool
  default     = true
}

variable "couchbase_ca_file" {
  description = "File on this machine with the certificate (PEM) of the CA whose certificates alone are accepted (COUCHBASE_CA_PEM). Null: Capella's and those of public CAs."
  type        = string
  default     = null

  validation {
    condition     = var.couchbase_ca_file == null ? true : can(file(var.couchbase_ca_file))
    error_message = "couchbase_ca_file must be a file of text (PEM) on this machine, by its path from the directory terraform or a whole one."
  }

  validation {
    condition = var.couchbase_ca_file == null ? true : try(
      can(regex("-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=[:space:]]{100,}-----END CERTIFICATE-----", file(var.couchbase_ca_file)))
      && !strcontains(file(var.couchbase_ca_file), "PRIVATE KEY") && length(file(var.couchbase_ca_file)) <= 16384,
    true)
    error_message = "couchbase_ca_file must have certificates in PEM, 16 KiB at most, and no private key: its text is in the task definition, which is no place for one."
  }
}

variable "couchbase_scope" {
  description = "Scope of the documents (COUCHBASE_SCOPE), which has to exist."
  type        = string
  default     = "_default"

  validation {
    condition     = can(regex("^(_default|[A-Za-z0-9-][A-Za-z0-9_%-]{0,250})$", var.couchbase_scope))
    error_message = "couchbase_scope must be 1 to 251 letters, digits and _ - %, not beginning with _ or %."
  }
}

variable "couchbase_collection" {
  description = "Collection of the documents (COUCHBASE_COLLECTION), which has to exist."
  type        = string
  default     = "_default"

  validation {
    condition     = can(regex("^(_default|[A-Za-z0-9-][A-Za-z0-9_%-]{0,250})$", var.couchbase_collection))
    error_message = "couchbase_collection must be 1 to 251 letters, digits and _ - %, not beginning with _ or %."
  }

  validation {
    condition     = var.couchbase_scope == "_default" || var.couchbase_collection != "_default"
    error_message = "couchbase_collection must be set together with couchbase_scope: only the scope _default has a collection _default."
  }
}

variable "couchbase_durability" {
  description = "When a write is acknowledged (COUCHBASE_DURABILITY)."
  type        = string
  default     = "majority"

  validation {
    condition     = contains(["majority", "none", "majorityAndPersistActive", "persistToMajority"], var.couchbase_durability)
    error_message = "couchbase_durability must be majority, none, majorityAndPersistActive or persistToMajority."
  }
}

variable "couchbase_expiry_days" {
  description = "Days after which a document is deleted that was not written again (COUCHBASE_EXPIRY_DAYS). Null: never."
  type        = number
  default     = null

  validation {
    condition     = var.couchbase_expiry_days == null ? true : var.couchbase_expiry_days >= 1 && var.couchbase_expiry_days <= 18000 && floor(var.couchbase_expiry_days) == var.couchbase_expiry_days
    error_message = "couchbase_expiry_days must be a whole number from 1 to 18000."
  }
}

# -- Secrets: never in the state, a plan or a file ----------------------------------------------

variable "secrets_version" {
  description = "Raise it by one to write changed secrets and start the tasks anew with them."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number from 1."
  }
}

variable "secrets_previous" {
  description = "Go back: tasks are given the values that were written before those of secrets_version."
  type        = bool
  default     = false

  validation {
    condition     = !var.secrets_previous || var.secrets_version > 1
    error_message = "secrets_previous = true needs a secrets_version above 1: there are no values before the first ones."
  }
}

variable "compare_secrets" {
  description = "Refuse to plan where a value that is given differs from what was written with secrets_version. For that a plan reads the secrets (secretsmanager:GetSecretValue)."
  type        = bool
  default     = true
}

variable "take_orders" {
  description = "Take orders at the load balancer (POST /api/orders), with api_token as bearer token. Without it the API only reads."
  type        = bool
  default     = false
}

variable "api_token" {
  description = "The bearer token for POST /api/orders (ORDERAPP_API_TOKEN), with take_orders."
  type        = string
  default     = ""
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.take_orders ? can(regex("^[!-~]{16,}$", var.api_token)) : var.api_token == ""
    error_message = "api_token must be 16 or more visible ASCII characters with take_orders = true, and is not set without it."
  }
}

variable "confluent_bootstrap_servers" {
  description = "Kafka's host:port[,host:port], from the cluster's settings in Confluent Cloud."
  type        = string
  ephemeral   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+:[0-9]{1,5}(,[A-Za-z0-9._-]+:[0-9]{1,5})*$", var.confluent_bootstrap_servers))
    error_message = "confluent_bootstrap_servers must be host:port[,host:port], without SASL_SSL:// in front."
  }

  validation {
    condition     = alltrue([for port in flatten(regexall(":([0-9]+)", var.confluent_bootstrap_servers)) : port == "9092"])
    error_message = "confluent_bootstrap_servers must have the port 9092: tasks may connect to no other of Kafka."
  }
}

variable "confluent_api_key" {
  description = "API key of the service account that orderapp has in Confluent Cloud."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[^[:space:]]+$", var.confluent_api_key))
    error_message = "confluent_api_key must not be empty, and has no spaces."
  }
}

variable "confluent_api_secret" {
  description = "The API key's secret."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[^[:space:]]+$", var.confluent_api_secret))
    error_message = "confluent_api_secret must not be empty, and has no spaces."
  }
}

variable "couchbase_host" {
  description = "Capella's host name, cb.….cloud.couchbase.com, or [couchbases://]host[,host] of a cluster of your own (COUCHBASE_HOST)."
  type        = string
  ephemeral   = true

  validation {
    condition     = can(regex("^((couchbases?://)?[a-z0-9._-]+(:[0-9]{1,5})?/?( *, *|$))+$", lower(var.couchbase_host))) && !endswith(trimspace(var.couchbase_host), ",")
    error_message = "couchbase_host must be [couchbases://]host[,host], names or IPv4 addresses, without another scheme, user, path or options."
  }

  validation {
    condition     = !can(regex("couchbase://", lower(var.couchbase_host))) || !can(regex("couchbases://|cloud\\.couchbase\\.com\\.?(:[0-9]+)?/?( *,|$)", lower(var.couchbase_host))) && var.couchbase_ca_file == null
    error_message = "couchbase_host begins with couchbase://, which is without TLS; couchbases:// beside it, Capella or couchbase_ca_file say that there is TLS."
  }

  validation {
    condition     = var.couchbase_tls == (var.couchbase_ca_file != null || can(regex("couchbases://|cloud\\.couchbase\\.com\\.?(:[0-9]+)?/?( *,|$)", lower(var.couchbase_host))))
    error_message = "couchbase_host must begin with couchbases:// (TLS), or be Capella's; without TLS the password crosses the network readable: couchbase_tls = false says that this is meant, for couchbase:// in a network of your own."
  }

  validation {
    condition     = alltrue([for port in flatten(regexall(":([0-9]+)", var.couchbase_host)) : port == (var.couchbase_tls ? "11207" : "11210")])
    error_message = "couchbase_host must have no port but ${var.couchbase_tls ? 11207 : 11210}, that for documents ${var.couchbase_tls ? "with" : "without"} TLS, and may leave it out: tasks may connect to no other."
  }
}

variable "couchbase_bucket" {
  description = "Name of the bucket, which has to exist."
  type        = string
  ephemeral   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_%-][A-Za-z0-9_.%-]{0,99}$", var.couchbase_bucket))
    error_message = "couchbase_bucket must be 1 to 100 letters, digits and _ - . %, not beginning with a dot."
  }
}

variable "couchbase_username" {
  description = "Name of the database user that orderapp has in Capella."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[^[:space:]]+$", var.couchbase_username))
    error_message = "couchbase_username must not be empty, and has no spaces."
  }
}

variable "couchbase_password" {
  description = "The database user's password."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(trimspace(var.couchbase_password)) > 0 && trimspace(var.couchbase_password) == var.couchbase_password
    error_message = "couchbase_password must not be empty, nor begin or end with a space."
  }
}
