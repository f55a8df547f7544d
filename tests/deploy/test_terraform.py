"""What Terraform builds, read from its files: no provider and no account are needed.

Every check takes a configuration, so that the end of this file can show that each of them
notices when it is broken by hand.
"""

import re

import pytest
from packaging.specifiers import SpecifierSet

from orderapp.couchbase_settings import DURABILITIES, PLAIN_PORT, TLS_PORT
from orderapp.engine.delivery.stopping import STOP_SECONDS
from orderapp.settings import CONSUMERS, SERVICES
from orderapp.topics import PARTITIONS
from tests.deploy import known
from tests.deploy.hcl import Configuration
from tests.deploy.recipe import exec_form, last, parse

CONFLUENT = {
    "bootstrap_servers": "KAFKA_BOOTSTRAP_SERVERS",
    "api_key": "CONFLUENT_API_KEY",
    "api_secret": "CONFLUENT_API_SECRET",
}
COUCHBASE = {
    "host": "COUCHBASE_HOST",
    "bucket": "COUCHBASE_BUCKET",
    "username": "COUCHBASE_USERNAME",
    "password": "COUCHBASE_PASSWORD",
}
API = {"token": "ORDERAPP_API_TOKEN"}
SECRETS = {"confluent": CONFLUENT, "couchbase": COUCHBASE}
ALL = {**SECRETS, "api": API}
ARN = "${{aws_secretsmanager_secret.{}.arn}}"


def container(config):
    (found,) = config.resource("aws_ecs_task_definition", "service")["container_definitions"]
    return found


def environment(config):
    return " ".join(container(config)["environment"].split())


def dynamic(config, name):
    """A block of the ECS services that not all of them have."""
    blocks = config.resource("aws_ecs_service", "service")["dynamic"]
    return next(block[name] for block in blocks if name in block)


def statements(config):
    policies = config.resources("aws_iam_role_policy").values()
    return [statement for policy in policies for statement in policy["policy"]["Statement"]]


# -- Services ----------------------------------------------------------------------------------


def check_one_service_for_each_of_orderapps(config):
    services = config.variables["services"]["default"]
    assert set(services) == set(SERVICES)
    assert [*config.resources("aws_ecs_service")] == ["service"]
    assert {*config.resources("aws_ecs_task_definition")} == {"service", "command"}
    for kind in ("aws_ecs_service", "aws_ecs_task_definition"):
        assert config.resource(kind, "service")["for_each"] == "${var.services}"
    given = "var.settings, {ORDERAPP_SERVICES = each.key}, local.settings, each.value.store ? "
    assert f"merge({given}local.store_settings : {{}})" in environment(config)
    assert '{name = name, value = value} if value != ""' in environment(config)
    assert {name for name, one in services.items() if one.get("consumes", True)} == {*CONSUMERS}
    assert {name for name, one in services.items() if one.get("store")} == known.STORE_SERVICES


def check_no_service_can_have_more_tasks_than_partitions(config):
    assert config.variables["partitions"]["default"] == PARTITIONS
    assert config.locals["settings"]["ORDERAPP_PARTITIONS"] == "${tostring(var.partitions)}"
    for service in config.variables["services"]["default"].values():
        assert service["desired_count"] <= service["max_count"]
        assert not service.get("consumes", True) or service["max_count"] <= PARTITIONS
    target = config.resource("aws_appautoscaling_target", "service")
    assert target["for_each"] == "${var.services}"
    assert "min(each.value.max_count, var.partitions)" in target["max_capacity"]
    service = config.resource("aws_ecs_service", "service")
    assert service["lifecycle"][0]["ignore_changes"] in (
        ["desired_count"],
        ["${desired_count}"],
    )


def check_a_failed_deployment_is_rolled_back(config):
    service = config.resource("aws_ecs_service", "service")
    assert service["deployment_circuit_breaker"] == [{"enable": True, "rollback": True}]


def check_a_deployment_that_answers_with_errors_is_rolled_back(config):
    found = dynamic(config, "alarms")
    assert found["content"] == [
        {"alarm_names": ["${alarms.value}"], "enable": True, "rollback": True}
    ]
    assert 'each.key == "web" && var.alarm_topic_arn != null' in found["for_each"]
    assert 'aws_cloudwatch_metric_alarm.web["errors"].alarm_name' in found["for_each"]


def check_commands_run_as_tasks_like_those_of_analytics(config):
    task = config.resource("aws_ecs_task_definition", "command")
    service = config.resource("aws_ecs_task_definition", "service")
    (one,), other = task["container_definitions"], container(config)
    for same in ("execution_role_arn", "task_role_arn", "volume", "runtime_platform"):
        assert task[same] == service[same]
    same = ("image", "user", "readonlyRootFilesystem", "linuxParameters", "mountPoints")
    assert {name: one[name] for name in same} == {name: other[name] for name in same}
    # What comes after it is said by who runs the task.
    stages = parse(known.read("Dockerfile"))
    worker = exec_form(last(stages, "production", "ENTRYPOINT"))
    assert [*one["entryPoint"], "worker"] == worker
    environment = " ".join(one["environment"].split())
    given = 'var.settings, {ORDERAPP_SERVICES = "analytics"}, local.settings, '
    assert f"merge({given}local.store_settings)" in environment
    assert "merge(local.kafka_secrets, local.store_secrets)" in one["secrets"]
    said = config.outputs["run_command"]["value"]
    assert "${aws_ecs_task_definition.command.family}" in said
    assert f'name = "{one["name"]}"' in said


def check_tasks_keep_what_they_need(config):
    """Old revisions, and the way out while they come and go."""
    assert config.resource("aws_ecs_task_definition", "service")["skip_destroy"] is True
    needed = set(config.resource("aws_ecs_service", "service")["depends_on"])
    for kind in (
        "aws_route",
        "aws_route_table_association",
        "aws_vpc_endpoint",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    ):
        # Visitors are the load balancer's own business.
        names = {name for name in config.resources(kind) if name != "visitors"}
        assert {f"${{{kind}.{name}}}" for name in names} <= needed
    assert "${aws_route.internet}" in config.resource("aws_lb", "web")["depends_on"]
    gateway = config.resource("aws_nat_gateway", "main")
    assert gateway["depends_on"] == ["${aws_internet_gateway.main}"]
    assert "aws_nat_gateway.main" in config.resource("aws_route", "outbound")["nat_gateway_id"]


def check_no_task_is_public(config):
    (network,) = config.resource("aws_ecs_service", "service")["network_configuration"]
    assert network["assign_public_ip"] is False
    assert "aws_subnet.private" in str(network["subnets"])
    assert "public" not in str(network["subnets"])
    for subnet in config.resources("aws_subnet").values():
        assert subnet["map_public_ip_on_launch"] is False


# -- The container -----------------------------------------------------------------------------


def check_environment_names_are_those_of_the_code(config):
    plain = ["ORDERAPP_SERVICES", *config.locals["settings"], *config.locals["store_settings"]]
    secret = [*config.locals["kafka_secrets"], *config.locals["store_secrets"], *API.values()]
    assert len({*plain, *secret}) == len(plain) + len(secret)
    assert {*plain, *secret} <= known.settings()
    assert set(config.locals["kafka_secrets"]) == known.KAFKA
    *_, taken = config.variables["settings"]["validation"]
    own = {name for name in plain if name.startswith("ORDERAPP_")}
    assert set(re.findall(r'"(ORDERAPP_\w+)"', taken["condition"])) == own
    assert set(config.locals["store_secrets"]) == known.COUCHBASE
    # Each setting of Couchbase; the image is given no file.
    of_store = {*config.locals["store_secrets"], *config.locals["store_settings"]}
    couchbase = {name for name in known.settings() if name.startswith("COUCHBASE_")}
    assert of_store == couchbase - {"COUCHBASE_CA_FILE"}
    for name, value in config.locals["store_settings"].items():
        variable = name.replace("_PEM", "_FILE").lower()
        assert f"var.{variable}" in value
        default = config.variables[variable]["default"]
        assert default in (None, "_default", DURABILITIES[0])
    (durability,) = config.variables["couchbase_durability"]["validation"]
    assert set(re.findall(r'"(\w+)"', durability["condition"])) == {*DURABILITIES}


def check_every_secret_has_its_key(config):
    for (name, keys), local in zip(
        SECRETS.items(), ("kafka_secrets", "store_secrets"), strict=True
    ):
        assert config.locals[local] == {
            variable: f"{ARN.format(name)}:{key}:${{local.read.{name}}}"
            for key, variable in keys.items()
        }
    source = " ".join(container(config)["secrets"].split())
    assert "{name = name, valueFrom = source}" in source
    assert "local.kafka_secrets, each.value.store ? local.store_secrets : {}" in source
    assert 'each.key == "web" ? local.api_secrets : {}' in source  # nobody else takes orders
    # Tasks read them at their start: another version makes other tasks.
    assert '":${version.version_id}"' in config.locals["read"]
    (variable,) = API.values()
    one = f'for secret in aws_secretsmanager_secret.api : "{variable}" =>'
    assert one in str(config.locals["api_secrets"])
    assert "${secret.arn}:token:${local.read.api}" in str(config.locals["api_secrets"])


def check_the_container_is_locked_in(config):
    one = container(config)
    # ECS Exec can do without neither a file system to write to nor these rights.
    assert one["readonlyRootFilesystem"] == "${!var.allow_exec}"
    assert config.variables["allow_exec"]["default"] is False
    service = config.resource("aws_ecs_service", "service")
    assert service["enable_execute_command"] == "${var.allow_exec}"
    assert one["user"] == known.USER
    assert one["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert one["linuxParameters"]["initProcessEnabled"] is False  # the worker is process 1
    assert "entryPoint" not in one
    assert "privileged" not in one
    assert [mount["containerPath"] for mount in one["mountPoints"]] == ["${local.data_dir}"]
    assert config.locals["data_dir"] == known.DATA_DIR
    assert 120 >= one["stopTimeout"] > STOP_SECONDS + 5


def check_ports_and_paths_are_the_images(config):
    stages = parse(known.read("Dockerfile"))
    port = int(last(stages, "production", "EXPOSE"))
    assert config.locals["web_port"] == port
    assert container(config)["portMappings"][0]["containerPort"] == "${local.web_port}"
    assert config.resource("aws_lb_target_group", "web")["port"] == "${local.web_port}"
    command = exec_form(last(stages, "production", "HEALTHCHECK"))
    assert container(config)["healthCheck"]["command"] == ["CMD", *command]


def check_the_image_is_named_by_repository_and_tag(config):
    image = "${aws_ecr_repository.orderapp.repository_url}:${var.image_tag}"
    (command,) = config.resource("aws_ecs_task_definition", "command")["container_definitions"]
    assert container(config)["image"] == command["image"] == image
    kept, expired = config.resource("aws_ecr_lifecycle_policy", "orderapp")["policy"]["rules"]
    assert kept["rulePriority"] < expired["rulePriority"]
    assert kept["selection"] == {
        "tagStatus": "tagged",
        "tagPatternList": ["${var.image_tag}"],
        "countType": "imageCountMoreThan",
        "countNumber": 1,
    }
    repository = config.resource("aws_ecr_repository", "orderapp")
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"] == [{"scan_on_push": True}]
    assert "default" not in config.variables["image_tag"]


# -- Secrets and rights ------------------------------------------------------------------------


def check_secrets_are_written_only(config):
    versions = config.resources("aws_secretsmanager_secret_version")
    secrets = config.resources("aws_secretsmanager_secret")
    assert set(versions) == set(secrets) == set(ALL)
    text = "\n".join(config.text.values())
    for name, keys in ALL.items():
        version = versions[name]
        assert "secret_string" not in version
        assert version["secret_string_wo_version"] == "${var.secrets_version}"
        assert version["secret_string_wo"] == f"${{local.given.{name}}}"
        given = config.locals["given"][name]
        assert given == {key: f"${{var.{name}_{key}}}" for key in keys}
        for key in keys:
            variable = config.variables[f"{name}_{key}"]
            assert variable["ephemeral"] is True  # in neither the state nor a plan
            # What may be left out is empty, and nothing else.
            assert ("default" in variable) == (name == "api")
            assert not variable.get("default")
            # Named where it is written, and in its own validation, and nowhere else.
            elsewhere = text.replace(_block(config, f"{name}_{key}"), "")
            assert len(re.findall(rf"var\.{name}_{key}\b", elsewhere)) == 1
    secret = {"confluent_api_key", "confluent_api_secret", "couchbase_username", "api_token"}
    for name in secret | {"couchbase_password"}:
        assert config.variables[name]["sensitive"] is True
    for output in config.outputs.values():
        assert not re.search(r"var\.(confluent|couchbase|api)_", str(output))
    ephemeral = {name for name, one in config.variables.items() if one.get("ephemeral")}
    assert ephemeral == {f"{name}_{key}" for name, keys in ALL.items() for key in keys}


def _block(config, variable):
    match = re.search(
        rf'^variable "{variable}" \{{.*?^\}}', config.text["variables.tf"], re.M | re.S
    )
    return match[0]


def check_the_execution_role_reads_exactly_these_secrets(config):
    readable = [
        resource
        for statement in statements(config)
        if any("secretsmanager" in action for action in statement["Action"])
        for resource in statement["Resource"]
    ]
    assert sorted(readable) == sorted(ARN.format(name) for name in (*SECRETS, "api[0]"))
    switch = "${var.take_orders ? 1 : 0}"
    for kind in ("secret", "secret_version"):
        assert config.resource(f"aws_secretsmanager_{kind}", "api")["count"] == switch
    assert config.resource("aws_iam_role_policy", "api")["count"] == switch
    assert config.variables["take_orders"]["default"] is False
    secret = config.resource("aws_secretsmanager_secret", "api")
    assert secret["recovery_window_in_days"] == 0  # its name is free again at once


def exec_(config):
    return config.resource("aws_iam_role_policy", "exec")["policy"]["Statement"]


def check_the_execution_role_has_no_wildcard(config):
    for statement in statements(config):
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action], statement
        if statement["Action"] == ["ecr:GetAuthorizationToken"] or statement in exec_(config):
            continue  # AWS knows no narrower resource for it
        for resource in statement["Resource"]:
            # Streams of one log group have names that only ECS knows.
            own_streams = "${aws_cloudwatch_log_group.tasks.arn}:log-stream:*"
            assert resource.startswith("${aws_"), statement
            assert "*" not in resource or resource == own_streams, statement
    assert config.kinds().isdisjoint({"aws_iam_role_policy_attachment", "aws_iam_policy"})


def check_the_program_has_no_rights_in_aws(config):
    assert set(config.resources("aws_iam_role")) == {"execution", "task"}
    policies = config.resources("aws_iam_role_policy")
    assert {one["role"] for name, one in policies.items() if name != "exec"} == {
        "${aws_iam_role.execution.id}"
    }
    # But to talk to Session Manager, where that is switched on.
    assert policies["exec"]["count"] == "${var.allow_exec ? 1 : 0}"
    for statement in exec_(config):
        assert {action.split(":")[0] for action in statement["Action"]} == {"ssmmessages"}
    task = config.resource("aws_ecs_task_definition", "service")
    assert task["task_role_arn"] == "${aws_iam_role.task.arn}"
    assert task["execution_role_arn"] == "${aws_iam_role.execution.arn}"


# -- Network -----------------------------------------------------------------------------------


def check_security_group_rules_stand_alone_and_name_their_ports(config):
    for group in config.resources("aws_security_group").values():
        assert not {"ingress", "egress"} & set(group)
    assert "aws_security_group_rule" not in config.kinds()
    egress = config.resources("aws_vpc_security_group_egress_rule")
    for rule in (
        *egress.values(),
        *config.resources("aws_vpc_security_group_ingress_rule").values(),
    ):
        assert rule["ip_protocol"] == "tcp"
        assert {"from_port", "to_port"} <= set(rule)
    opened = {
        kind: [(ports["from"], ports["to"]) for ports in found.values()]
        for kind, found in config.locals["couchbase_ports"].items()
    }
    assert opened == {
        "tls": [(TLS_PORT, TLS_PORT), (18091, 18096)],
        "plain": [(PLAIN_PORT, PLAIN_PORT), (8091, 8096)],
    }
    cluster = config.locals["cluster_ports"]
    assert "merge({kafka = {from = 9092, to = 9092}}, local.couchbase_ports[" in cluster
    assert 'couchbase_ports[var.couchbase_tls ? "tls" : "plain"]' in cluster
    assert config.variables["couchbase_tls"]["default"] is True
    assert (egress["tasks_to_aws"]["from_port"], egress["tasks_to_aws"]["to_port"]) == (
        443,
        443,
    )


def check_only_the_load_balancer_and_prometheus_reach_tasks(config):
    into_tasks = {
        name: rule
        for name, rule in config.resources("aws_vpc_security_group_ingress_rule").items()
        if rule["security_group_id"] == "${aws_security_group.tasks.id}"
    }
    prometheus = into_tasks.pop("tasks_from_prometheus")
    assert prometheus["for_each"] == "${toset(var.metrics_cidrs)}"
    assert prometheus["from_port"] == prometheus["to_port"] == "${local.web_port}"
    assert config.variables["metrics_cidrs"]["default"] == []
    assert [rule["referenced_security_group_id"] for rule in into_tasks.values()] == [
        "${aws_security_group.alb.id}"
    ]


def check_every_task_has_a_name_for_prometheus(config):
    assert config.locals["discovered"] == "${length(var.metrics_cidrs) > 0}"
    entry = config.resource("aws_service_discovery_service", "tasks")
    assert entry["for_each"] == "${local.discovered ? var.services : {}}"
    assert entry["name"] == "${each.key}"
    registry = dynamic(config, "service_registries")["for_each"]
    assert "local.discovered ? [aws_service_discovery_service.tasks[each.key].arn]" in registry
    docs = known.read("docs/deploy.md")
    for name in SERVICES:
        assert f"{name}.orderapp.internal" in docs


def check_the_health_check_asks_healthz(config):
    from orderapp.web.api import health  # noqa: F401  # registers the page

    (check,) = config.resource("aws_lb_target_group", "web")["health_check"]
    assert check["path"] == "/healthz"
    assert check["matcher"] == "200"
    assert '"/healthz"' in known.read("orderapp/web/api/health.py")
    assert '"/healthz"' in known.read("deploy/healthcheck.py")


def check_http_is_redirected_to_https(config):
    listeners = config.resources("aws_lb_listener")
    (action,) = listeners["redirect"]["default_action"]
    assert action["type"] == "redirect"
    assert action["redirect"][0]["protocol"] == "HTTPS"
    assert listeners["https"]["protocol"] == "HTTPS"
    assert "TLS13" in listeners["https"]["ssl_policy"]
    # Plain HTTP is served only without a certificate, which only the switch allows.
    assert listeners["plain"]["count"] == "${local.https ? 0 : 1}"
    assert (
        listeners["https"]["count"]
        == listeners["redirect"]["count"]
        == "${local.https ? 1 : 0}"
    )
    assert config.locals["https"] == "${var.certificate_arn != null}"
    assert config.variables["allow_plain_http"]["default"] is False


def check_metrics_are_not_shown_to_visitors(config):
    assert '"/metrics"' in known.read("orderapp/web/api/metrics.py")
    rule = config.resource("aws_lb_listener_rule", "metrics")
    # The listener that serves, whichever it is; health checks go to the tasks themselves.
    assert rule["listener_arn"] == (
        "${local.https ? aws_lb_listener.https[0].arn : aws_lb_listener.plain[0].arn}"
    )
    (condition,) = rule["condition"]
    assert condition["path_pattern"] == [{"values": ["/metrics", "/metrics/*"]}]
    (action,) = rule["action"]
    assert action["type"] == "fixed-response"
    assert action["fixed_response"][0]["status_code"] == "404"


def check_the_load_balancer_is_protected_and_logs(config):
    balancer = config.resource("aws_lb", "web")
    assert balancer["enable_deletion_protection"] == "${var.deletion_protection}"
    assert config.variables["deletion_protection"]["default"] is True
    # What its description names.
    unprotected = "${!var.deletion_protection}"
    assert config.resource("aws_ecr_repository", "orderapp")["force_delete"] == unprotected
    assert config.resource("aws_s3_bucket", "access_logs")["force_destroy"] == unprotected
    assert balancer["access_logs"][0]["enabled"] is True
    assert balancer["drop_invalid_header_fields"] is True
    block = config.resource("aws_s3_bucket_public_access_block", "access_logs")
    assert all(value for key, value in block.items() if key != "bucket")


# -- The rest ----------------------------------------------------------------------------------


def check_versions_have_bounds(config):
    (terraform,) = config.blocks("terraform")
    (providers,) = terraform["required_providers"]
    assert providers["aws"]["source"] == "hashicorp/aws"
    allowed = SpecifierSet(providers["aws"]["version"])
    versions = ("5.99.0", "5.100.0", "6.66.0", "7.0.0")
    assert [*allowed.filter(versions)] == ["5.100.0", "6.66.0"]
    assert terraform["required_version"].startswith(">= 1.11")


def check_variables_are_described_and_validated(config):
    # Nothing to be wrong about.
    free = {"tags", "allow_plain_http", "deletion_protection", "take_orders", "couchbase_tls"}
    free |= {"compare_secrets", "allow_exec", "publish_lag"}
    for name, variable in config.variables.items():
        assert variable["description"], name
        assert variable["type"], name
        assert ("validation" in variable) != (name in free), name
        for validation in variable.get("validation", []):
            assert validation["error_message"].startswith(name), name
    for name, output in config.outputs.items():
        assert output["description"], name


def check_alarms_reach_the_topic(config):
    alarms = config.resources("aws_cloudwatch_metric_alarm")
    assert set(alarms) == {"web", "tasks"}
    for alarm in alarms.values():
        assert alarm["alarm_actions"] == alarm["ok_actions"] == ["${var.alarm_topic_arn}"]
    # The balancer has no figures without visitors; Container Insights has none without tasks.
    assert alarms["web"]["treat_missing_data"] == "notBreaching"
    assert alarms["tasks"]["treat_missing_data"] == "breaching"
    assert "containerInsights" in str(config.resource("aws_ecs_cluster", "main"))
    pattern = config.resource("aws_cloudwatch_event_rule", "deployments")["event_pattern"]
    assert pattern["detail"] == {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]}


def check_logs_expire(config):
    for group in config.resources("aws_cloudwatch_log_group").values():
        assert group["retention_in_days"] == "${var.log_retention_days}"


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


@pytest.fixture(scope="module")
def config():
    return Configuration()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__[6:])
def test_terraform(check, config):
    check(config)


# -- Broken by hand ----------------------------------------------------------------------------

IMAGE = '"${aws_ecr_repository.orderapp.repository_url}:${var.image_tag}"'
BREAKS = {
    "a secret's key in the task": (
        (":api_secret:", ":secret:"),
        check_every_secret_has_its_key,
    ),
    "a new version that no task reads": (
        (":${version.version_id}", "AWSCURRENT:"),
        check_every_secret_has_its_key,
    ),
    "a secret's key where it is written": (
        ("password = var.couchbase_password", "passwort = var.couchbase_password"),
        check_secrets_are_written_only,
    ),
    "a secret in the state": (
        ("secret_string_wo         = local", "secret_string         = local"),
        check_secrets_are_written_only,
    ),
    "a secret that a plan keeps": (
        ("sensitive   = true\n  ephemeral   = true", "sensitive   = true"),
        check_secrets_are_written_only,
    ),
    "a secret in an output": (
        ("value       = aws_lb.web.dns_name", "value       = var.couchbase_password"),
        check_secrets_are_written_only,
    ),
    "a missing service": (
        ("    payment   = { desired_count = 1, max_count = 6 }\n", ""),
        check_one_service_for_each_of_orderapps,
    ),
    "more tasks than partitions": (
        (
            "fraud     = { desired_count = 1, max_count = 6 }",
            "fraud     = { desired_count = 1, max_count = 7 }",
        ),
        check_no_service_can_have_more_tasks_than_partitions,
    ),
    "a public task": (
        ("assign_public_ip = false", "assign_public_ip = true"),
        check_no_task_is_public,
    ),
    "a task in a public subnet": (
        (
            "subnets          = [for subnet in aws_subnet.private",
            "subnets          = [for subnet in aws_subnet.public",
        ),
        check_no_task_is_public,
    ),
    "a wildcard resource": (
        ("Resource = [aws_ecr_repository.orderapp.arn]", 'Resource = ["*"]'),
        check_the_execution_role_has_no_wildcard,
    ),
    "a wildcard action": (
        ('Action = ["secretsmanager:GetSecretValue"]', 'Action = ["secretsmanager:*"]'),
        check_the_execution_role_has_no_wildcard,
    ),
    "a third secret": (
        (
            "          aws_secretsmanager_secret.couchbase.arn,\n",
            "aws_secretsmanager_secret.couchbase.arn, aws_secretsmanager_secret.other.arn,\n",
        ),
        check_the_execution_role_reads_exactly_these_secrets,
    ),
    "rights for the program": (
        ("role = aws_iam_role.execution.id", "role = aws_iam_role.task.id"),
        check_the_program_has_no_rights_in_aws,
    ),
    "another variable name": (
        ("CONFLUENT_API_KEY ", "CONFLUENT_KEY "),
        check_environment_names_are_those_of_the_code,
    ),
    "a setting that is set twice": (
        ('"ORDERAPP_ORDER_INTERVAL", "ORDERAPP_PAYMENT_DELAY",', '"ORDERAPP_ORDER_INTERVAL",'),
        check_environment_names_are_those_of_the_code,
    ),
    "another port": (
        ("web_port = 6066", "web_port = 8080"),
        check_ports_and_paths_are_the_images,
    ),
    "another health path": (
        ('"/healthz"', '"/"'),
        check_the_health_check_asks_healthz,
    ),
    "a token for everybody": (
        ('each.key == "web" ? local.api_secrets : {}', "local.api_secrets"),
        check_every_secret_has_its_key,
    ),
    "metrics for visitors": (
        ('values = ["/metrics", "/metrics/*"]', 'values = ["/metric"]'),
        check_metrics_are_not_shown_to_visitors,
    ),
    "no redirect": (
        ('type = "redirect"', 'type = "forward"'),
        check_http_is_redirected_to_https,
    ),
    "an image that moves": (
        (f"name                   = each.key\n    image                  = {IMAGE}", "x = 1"),
        check_the_image_is_named_by_repository_and_tag,
    ),
    "an image of commands that moves": (
        (f'"command"\n    image                  = {IMAGE}', '"command"\n image = "latest"'),
        check_the_image_is_named_by_repository_and_tag,
    ),
    "every port outwards": (
        (
            "couchbase-services = { from = 18091, to = 18096 }",
            "couchbase-services = { from = 0, to = 65535 }",
        ),
        check_security_group_rules_stand_alone_and_name_their_ports,
    ),
    "a file system that can be written": (
        ("readonlyRootFilesystem = !var.allow_exec #", "readonlyRootFilesystem = false #"),
        check_the_container_is_locked_in,
    ),
    "a command that can write": (
        ("readonlyRootFilesystem = !var.allow_exec\n", "readonlyRootFilesystem = false\n"),
        check_commands_run_as_tasks_like_those_of_analytics,
    ),
    "a command that the worker takes for an option": (
        ('entryPoint = ["faust", "-A", "orderapp"]', 'entryPoint = ["faust"]'),
        check_commands_run_as_tasks_like_those_of_analytics,
    ),
    "ECS Exec for everybody": (
        ("_command             = var.allow_exec", "_command = true"),
        check_the_container_is_locked_in,
    ),
    "rights of ECS Exec without it": (
        ("count = var.allow_exec ? 1 : 0", "count = 1"),
        check_the_program_has_no_rights_in_aws,
    ),
    "an image that expires while it runs": (
        ("tagPatternList = [var.image_tag]", 'tagPatternList = ["release"]'),
        check_the_image_is_named_by_repository_and_tag,
    ),
    "errors that a deployment gets away with": (
        ("      rollback    = true", "      rollback    = false"),
        check_a_deployment_that_answers_with_errors_is_rolled_back,
    ),
    "a task that Prometheus does not find": (
        ("for_each = local.discovered ? var.services : {}", "for_each = {}"),
        check_every_task_has_a_name_for_prometheus,
    ),
    "partitions that the program does not hear of": (
        ("    ORDERAPP_PARTITIONS     = tostring(var.partitions)\n", ""),
        check_no_service_can_have_more_tasks_than_partitions,
    ),
    "images that a teardown stops at": (
        ("force_delete         = !var.deletion_protection", "force_delete = false"),
        check_the_load_balancer_is_protected_and_logs,
    ),
    "no revision to go back to": (
        ("skip_destroy = true", "skip_destroy = false"),
        check_tasks_keep_what_they_need,
    ),
    "tasks that lose their way out": (
        ("    aws_route.outbound,\n", ""),
        check_tasks_keep_what_they_need,
    ),
    "a load balancer before its gateway": (
        ("    aws_route.internet, # a load", "    # a load"),
        check_tasks_keep_what_they_need,
    ),
    "a NAT gateway without one": (
        ("  depends_on = [aws_internet_gateway.main]\n", ""),
        check_tasks_keep_what_they_need,
    ),
    "a deployment that stays broken": (
        ("rollback = true", "rollback = false"),
        check_a_failed_deployment_is_rolled_back,
    ),
    "missing tasks that nobody hears of": (
        ('treat_missing_data  = "breaching"', 'treat_missing_data  = "notBreaching"'),
        check_alarms_reach_the_topic,
    ),
    "a provider that moves": (
        ('version = ">= 5.100, < 7.0"', 'version = ">= 5.100"'),
        check_versions_have_bounds,
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_it_is_noticed(name):
    change, check = BREAKS[name]
    with pytest.raises((AssertionError, KeyError)):
        check(Configuration(change))


def test_a_setting_renamed_in_the_code_only_is_noticed(config, monkeypatch):
    renamed = known.settings() - {"CONFLUENT_API_SECRET"} | {"CONFLUENT_SECRET"}
    monkeypatch.setattr(known, "settings", lambda: renamed)
    with pytest.raises(AssertionError):
        check_environment_names_are_those_of_the_code(config)


def test_a_service_added_to_the_code_only_is_noticed(config, monkeypatch):
    monkeypatch.setitem(globals(), "SERVICES", (*SERVICES, "shipping"))
    with pytest.raises(AssertionError):
        check_one_service_for_each_of_orderapps(config)


def test_every_check_has_been_seen_to_fail():
    seen = {check for _, check in BREAKS.values()}
    # These have nothing that is worth breaking one by one.
    plain = {
        check_logs_expire,
        check_only_the_load_balancer_and_prometheus_reach_tasks,
        check_variables_are_described_and_validated,
    }
    assert set(CHECKS) == seen | plain
