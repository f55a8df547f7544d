"""A deployment from its first apply to its end: a real provider, and a pretended AWS."""

import json
import re
import shlex

import pytest

from orderapp.settings import SERVICES
from tests import doc_commands
from tests.deploy import known
from tests.deploy.fake_aws import client, fake_aws
from tests.deploy.terraform import GOOD

REGION = "eu-central-1"

#: What moto does not remember of what it was told, so that each plan sets it again.
FORGOTTEN = {
    ("aws_appautoscaling_target", "tags_all"),
    ("aws_ecs_service", "availability_zone_rebalancing"),
    ("aws_ecs_service", "enable_ecs_managed_tags"),
    ("aws_ecs_service", "health_check_grace_period_seconds"),
    ("aws_ecs_service", "propagate_tags"),
    ("aws_vpc_security_group_egress_rule", "description"),
    ("aws_vpc_security_group_ingress_rule", "description"),
}

VALUES = {
    **dict(re.findall(r'(\w+) += "(.+)"', GOOD)),
    "api_token": "s3cr3t-of-the-api",
}


class Deployment:
    """One directory of Terraform, and what it has made."""

    def __init__(self, terraform, directory, aws):
        self._terraform = terraform.within(aws)
        self._directory = self._terraform.module(directory)
        self._file = self._directory / "terraform.tfvars"
        example = known.read("terraform/terraform.tfvars.example")
        lines = [
            line for line in example.splitlines() if not line.startswith("certificate_arn")
        ]
        lines += ["allow_plain_http = true", "take_orders = true"]
        lines += ['metrics_cidrs = ["10.42.0.0/16"]', "publish_lag = true"]
        lines += [f'alarm_topic_arn = "arn:aws:sns:{REGION}:123456789012:orderapp"']
        self._file.write_text("\n".join(lines) + "\n")
        self._given = dict(VALUES)
        self._ecs = client("ecs", aws, REGION)
        self._secrets = client("secretsmanager", aws, REGION)
        self._ecr = client("ecr", aws, REGION)
        self._discovery = client("servicediscovery", aws, REGION)

    def set(self, name, value):
        """Change a line of the one file, as the documentation says."""
        text = self._file.read_text()
        text, replaced = re.subn(rf"(?m)^{name}( +)= [^ #\n]+", rf"{name}\1= {value}", text)
        assert replaced == 1
        self._file.write_text(text)

    def give(self, name, value):
        """Answer with another value when Terraform asks."""
        self._given[name] = value

    def run(self, *arguments):
        given = {f"TF_VAR_{name}": value for name, value in self._given.items()}
        done = self._terraform.within(given)(self._directory, *arguments, seconds=300)
        assert "s3cr3t" not in done.stdout + done.stderr
        return done

    def apply(self, *options):
        done = self.run("apply", "-auto-approve", "-input=false", *options)
        assert done.returncode == 0, done.stderr
        state = (self._directory / "terraform.tfstate").read_text()
        assert "s3cr3t" not in state

    def planned(self, *options):
        """The type and the attributes of all that a plan would change."""
        done = self.run("plan", "-input=false", "-out=planned", *options)
        assert done.returncode == 0, done.stderr
        plan = self._terraform.json(self._directory, "show", "planned")
        return {
            (one["type"], name)
            for one in plan["resource_changes"]
            if one["change"]["actions"] != ["no-op"]
            for name, value in (one["change"]["after"] or {"all of it": None}).items()
            if (one["change"]["before"] or {}).get(name) != value
        }

    def output(self, *arguments):
        done = self.run("output", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_command(self):
        """Start a task as the output says it, and return its definition's container."""
        said = self.output("-raw", "run_command").replace("\\\n", " ")
        words = shlex.split(said)
        assert words[:3] == ["aws", "ecs", "run-task"]
        options = dict(zip(words[3::2], words[4::2], strict=True))
        started = self._ecs.run_task(
            cluster=options["--cluster"],
            launchType=options["--launch-type"],
            taskDefinition=options["--task-definition"],
            networkConfiguration=json.loads(options["--network-configuration"]),
            overrides=json.loads(options["--overrides"]),
        )
        (task,) = started["tasks"]
        self._ecs.stop_task(cluster=options["--cluster"], task=task["taskArn"])
        (override,) = task["overrides"]["containerOverrides"]
        container = self.container(task["taskDefinitionArn"])
        assert override == {"name": container["name"], "command": ["dlq", "list"]}
        return container

    def names(self):
        """The registry that each service's tasks are entered in, by the service."""
        arns = self._ecs.list_services(cluster="orderapp")["serviceArns"]
        found = self._ecs.describe_services(cluster="orderapp", services=arns)["services"]
        entries = self._discovery.list_services()["Services"]
        assert {one["Id"] for one in entries} == {
            registry["registryArn"].split("/")[-1]
            for one in found
            for registry in one.get("serviceRegistries", ())
        }
        return {one["Name"] for one in entries}

    def kept_image(self):
        """The tag that ECR does not let expire."""
        policy = self._ecr.get_lifecycle_policy(repositoryName="orderapp")
        (tag,) = json.loads(policy["lifecyclePolicyText"])["rules"][0]["selection"][
            "tagPatternList"
        ]
        return tag

    def running(self, service):
        """The container that a service's tasks have."""
        (one,) = self._ecs.describe_services(cluster="orderapp", services=[service])["services"]
        return self.container(one["taskDefinition"])

    def container(self, revision):
        found = self._ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
        assert found["status"] == "ACTIVE"
        (container,) = found["containerDefinitions"]
        return container

    def secret(self, container, variable):
        """What ECS gives a task that starts now."""
        (source,) = (s["valueFrom"] for s in container["secrets"] if s["name"] == variable)
        arn, key, stage, version = re.fullmatch(r"(arn:.*):(\w+):(\w*):(.*)", source).groups()
        where = {"VersionStage": stage} if stage else {"VersionId": version}
        assert stage or version, "a task definition names the version that it was made with"
        read = self._secrets.get_secret_value(SecretId=arn, **where)["SecretString"]
        return json.loads(read)[key]

    def names_of_secrets(self):
        return {one["Name"] for one in self._secrets.list_secrets()["SecretList"]}

    def is_empty(self):
        """Whether Terraform knows of nothing any more."""
        return "values" not in self._terraform.json(self._directory, "show")

    def services(self):
        return self._ecs.list_services(cluster="orderapp")["serviceArns"]


def documented(beginning):
    """What follows it, in words, in each command of the page."""
    found = [one.text for one in doc_commands.commands() if one.page == doc_commands.DEPLOY]
    begun = [text for text in found if text.startswith(beginning)]
    return [shlex.split(text.removeprefix(beginning)) for text in begun]


@pytest.fixture
def deployment(terraform, tmp_path):
    with fake_aws() as aws:
        yield Deployment(terraform, tmp_path, aws)


@pytest.mark.timeout(900)
def test_a_deployment_from_its_first_apply_to_its_end(deployment):
    # The image's repository comes first.
    made = deployment.planned("-target=aws_ecr_repository.orderapp")
    assert {kind for kind, _ in made} == {"aws_ecr_repository"}

    deployment.apply()
    assert len(deployment.services()) == 5
    for words in documented("terraform output"):
        assert deployment.output(*words).strip(), words
    assert "orderapp:0.1.0" in deployment.output("-raw", "push_image")
    assert deployment.run_command()["entryPoint"] == ["faust", "-A", "orderapp"]
    assert deployment.names() == set(SERVICES)
    first = deployment.running("fraud")
    assert first["image"].endswith("orderapp:0.1.0")
    assert deployment.secret(first, "CONFLUENT_API_SECRET") == VALUES["confluent_api_secret"]
    web = deployment.running("web")
    assert deployment.secret(web, "ORDERAPP_API_TOKEN") == VALUES["api_token"]
    assert deployment.planned() <= FORGOTTEN

    # A value is changed, at first without the next version.
    deployment.give("confluent_api_secret", "s3cr3t-that-is-wrong")
    refused = deployment.run("plan", "-input=false", "-refresh=false")
    assert refused.returncode == 1
    said = " ".join(refused.stderr.split())
    assert "A value of the secret orderapp/confluent differs from what was written" in said
    assert "Raise secrets_version" in said

    # An update, of the image too.
    deployment.set("secrets_version", "2")
    deployment.set("image_tag", '"0.2.0"')
    deployment.apply("-refresh=false")
    now = deployment.running("fraud")
    assert now["image"].endswith("orderapp:0.2.0")
    assert deployment.kept_image() == "0.2.0"
    assert deployment.secret(now, "CONFLUENT_API_SECRET") == "s3cr3t-that-is-wrong"
    # A deployment that fails goes back to the revision before, and to its values.
    before = VALUES["confluent_api_secret"]
    assert deployment.secret(first, "CONFLUENT_API_SECRET") == before

    # So does who asks for it: a rollback.
    deployment.set("secrets_previous", "true")
    deployment.set("image_tag", '"0.1.0"')
    deployment.apply("-refresh=false")
    now = deployment.running("fraud")
    assert now["image"].endswith("orderapp:0.1.0")
    assert deployment.kept_image() == "0.1.0"
    assert deployment.secret(now, "CONFLUENT_API_SECRET") == before

    # The end.
    deployment.set("take_orders", "false")
    deployment.give("api_token", "")
    deployment.set("metrics_cidrs", "[]")
    deployment.set("deletion_protection", "false")
    deployment.apply()
    assert deployment.names_of_secrets() == {"orderapp/confluent", "orderapp/couchbase"}
    assert deployment.names() == set()
    destroyed = deployment.run("destroy", "-auto-approve", "-input=false")
    assert destroyed.returncode == 0, destroyed.stderr
    assert deployment.is_empty()
    assert not deployment.names_of_secrets()
