"""The policies of those who deploy: enough for what Terraform makes, and no more than that."""

import json
import re

import pytest

from tests.deploy import known
from tests.deploy.hcl import Configuration

#: A resource of Terraform by the beginning of its type, and whose rights it takes.
SERVICES = {
    "aws_appautoscaling": "application-autoscaling",
    "aws_cloudwatch_event": "events",
    "aws_cloudwatch_log": "logs",
    "aws_cloudwatch_metric": "cloudwatch",
    "aws_ecr": "ecr",
    "aws_ecs": "ecs",
    "aws_iam": "iam",
    "aws_lb": "elasticloadbalancing",
    "aws_s3": "s3",
    "aws_secretsmanager": "secretsmanager",
    "aws_service_discovery": "servicediscovery",
}
#: What has no name that could be told apart, or none yet: bound by the region instead.
NAMELESS = {"LookAtWhatHasNoNames", "Network", "LogInToRegistry", "NamesOfTasks"}


def statements(name):
    policy = json.loads(known.read(f"deploy/aws/{name}.json"))
    assert policy["Version"] == "2012-10-17"
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144  # as much as IAM takes
    return {one["Sid"]: one for one in policy["Statement"]}


def granted(name):
    return {
        (action, resource)
        for one in statements(name).values()
        for action in one["Action"]
        for resource in one["Resource"]
    }


def test_the_deployer_has_rights_for_everything_that_terraform_makes():
    services = {
        next((to for begins, to in SERVICES.items() if kind.startswith(begins)), "ec2")
        for kind in Configuration().kinds()
    }
    assert services == {*SERVICES.values(), "ec2"}
    assert services <= {action.split(":")[0] for action, _ in granted("deployer")}


@pytest.mark.parametrize("name", ["deployer", "builder"])
def test_rights_end_at_what_is_called_orderapp(name):
    for sid, one in statements(name).items():
        assert one["Effect"] == "Allow"
        for resource in one["Resource"]:
            if sid in NAMELESS:
                assert resource == "*"
                looks = all(":Get" in action for action in one["Action"])
                assert looks or one["Condition"]["StringEquals"].keys() == {
                    "aws:RequestedRegion"
                }
            elif sid == "ZoneOfTasks":  # Route 53 is in no region, and nothing is deleted
                looks = {name for name in one["Action"] if re.search(":(Get|List)", name)}
                assert {*one["Action"]} - looks == {"route53:CreateHostedZone"}
            elif sid not in {"Scaling", "RolesOfAwsItself"}:
                assert "orderapp" in resource or "STATE-BUCKET" in resource, sid
        for action in one["Action"]:
            assert not action.startswith(("*", "iam:*", "ec2:*", "sts:")), sid


def test_roles_are_given_to_tasks_only_and_are_those_that_terraform_makes():
    roles = {
        f"arn:aws:iam::ACCOUNT:role/{one['name'].replace('${var.name}', 'orderapp')}"
        for one in Configuration().resources("aws_iam_role").values()
    }
    given = statements("deployer")["GiveThemToTasks"]
    assert given["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }
    for sid in ("GiveThemToTasks", "TasksRoles"):
        assert set(statements("deployer")[sid]["Resource"]) == roles
    passing = {resource for action, resource in granted("deployer") if "PassRole" in action}
    assert passing == roles


def test_who_builds_can_push_an_image_and_change_nothing_else():
    changing = {
        action
        for action, _ in granted("builder")
        if not action.split(":")[1].startswith(
            ("Get", "BatchGet", "BatchCheck", "Describe", "List")
        )
    }
    assert {action.split(":")[0] for action in changing} == {"ecr", "s3"}
    for action, resource in granted("builder"):
        assert not action.startswith("s3:") or "STATE-BUCKET" in resource


def test_a_role_is_taken_by_the_jobs_of_one_environment():
    (trust,) = statements("trust").values()
    conditions = trust["Condition"]["StringEquals"]
    issuer = "token.actions.githubusercontent.com"
    assert trust["Principal"]["Federated"].endswith(f"oidc-provider/{issuer}")
    assert conditions == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": "repo:OWNER/REPOSITORY:environment:ENVIRONMENT",
    }
