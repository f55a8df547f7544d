"""Terraform, run: what it says of bad values, its own tests where its provider can be had, and
checkov."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy import known
from tests.deploy.hcl import Configuration
from tests.deploy.terraform import GOOD


def test_files_are_formatted(terraform):
    formatted = terraform(known.ROOT / "terraform", "fmt", "-check", "-recursive")
    assert formatted.returncode == 0, formatted.stdout


@pytest.fixture(scope="module")
def variables(terraform, tmp_path_factory):
    """A module of the variables alone: Terraform plans it without a provider."""
    directory = tmp_path_factory.mktemp("variables")
    shutil.copy(known.ROOT / "terraform" / "variables.tf", directory)
    example = known.read("terraform/terraform.tfvars.example")
    (directory / "good.tfvars").write_text(example + GOOD)
    (directory / NULLS["certificate_arn"]).write_text("certificate_arn = null\n")
    ca = known.read("terraform/tests/ca.pem")
    (directory / "ca.pem").write_text(ca)
    (directory / "ca-and-key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\ns3cr3t\n{ca}")
    started = terraform(directory, "init", "-input=false")
    assert started.returncode == 0, started.stderr
    return directory


def plan(terraform, directory, **values):
    options = [
        # A null can be given in a file only.
        f"-var={name}={value}" if value != "null" else f"-var-file={NULLS[name]}"
        for name, value in values.items()
    ]
    return terraform(directory, "plan", "-input=false", "-var-file=good.tfvars", *options)


NULLS = {"certificate_arn": "no-certificate.tfvars"}


GOOD_ONES = {
    "the example": {},
    "orders with a token": {"take_orders": "true", "api_token": "s3cr3t-of-the-api"},
    "a cluster of one's own": {
        "couchbase_host": "couchbases://db1.example.com,DB2.example.com:11207, 10.0.0.3",
        "couchbase_scope": "shop",
        "couchbase_collection": "orders",
        "couchbase_expiry_days": "400",
        "couchbase_durability": "none",
    },
    "larger tasks": {
        "services": "{web={desired_count=1,max_count=1,consumes=false,cpu=8192,memory=20480},"
        "fraud={desired_count=1,max_count=2,cpu=512,memory=3072}}"
    },
    "alarms": {"alarm_topic_arn": "arn:aws:sns:eu-central-1:111122223333:orderapp"},
    "further settings": {
        "settings": '{ORDERAPP_MAX_ATTEMPTS="5",ORDERAPP_IDEMPOTENCY_HOURS="48"}',
        "collector_cidrs": '["10.0.0.5/32"]',
    },
    "other networks": {
        "vpc_cidr": "10.42.16.0/20",
        "visitor_cidrs": '["203.0.113.0/24","198.51.100.7/32"]',
        "cluster_cidrs": '["10.0.0.0/16","10.1.0.0/16"]',
    },
    "its CA": {"couchbase_host": "db.example.com", "couchbase_ca_file": "ca.pem"},
    "Capella by its scheme": {"couchbase_host": "COUCHBASES://cb.test.cloud.couchbase.com./"},
    "no TLS that is meant": {
        "couchbase_host": "couchbase://db1,db2:11210",
        "couchbase_tls": "false",
    },
    "no TLS and no scheme": {"couchbase_host": "db", "couchbase_tls": "false"},
}


@pytest.mark.parametrize("name", GOOD_ONES)
def test_a_good_value_is_accepted(terraform, variables, name):
    planned = plan(terraform, variables, **GOOD_ONES[name])
    assert planned.returncode == 0, planned.stderr
    assert "s3cr3t" not in planned.stdout


#: What is set, the variable whose own text stops the plan, and a part of that text.
BAD = {
    # Couchbase: as orderapp/couchbase_settings.py
    "another scheme": ({"couchbase_host": "https://db"}, "couchbase_host", "another scheme"),
    "an option": (
        {"couchbase_host": "couchbases://db?tls_verify=none"},
        "couchbase_host",
        "path",
    ),
    "a path": ({"couchbase_host": "couchbases://db/orders"}, "couchbase_host", "path or opti"),
    "a user": ({"couchbase_host": "couchbases://me@db"}, "couchbase_host", "user"),
    "no host": ({"couchbase_host": ""}, "couchbase_host", "must be [couchbases://]host"),
    "an empty host": (
        {"couchbase_host": "couchbases://db,"},
        "couchbase_host",
        "must be [couch",
    ),
    "an IPv6 address": ({"couchbase_host": "couchbases://[::1]"}, "couchbase_host", "IPv4"),
    "both schemes": (
        {"couchbase_host": "couchbase://db1,couchbases://db2"},
        "couchbase_host",
        "couchbases:// beside it",
    ),
    "Capella without TLS": (
        {"couchbase_host": "couchbase://cb.test.cloud.couchbase.com"},
        "couchbase_host",
        "Capella",
    ),
    "a CA without TLS": (
        {
            "couchbase_host": "couchbase://db",
            "couchbase_tls": "false",
            "couchbase_ca_file": "ca.pem",
        },
        "couchbase_host",
        "couchbase_ca_file say that there is TLS",
    ),
    "a scheme without TLS": (
        {"couchbase_host": "couchbase://db"},
        "couchbase_host",
        "couchbase_tls = false says that this is meant",
    ),
    "no scheme, so no TLS": (
        {"couchbase_host": "db.example.com"},
        "couchbase_host",
        "the password crosses the network readable",
    ),
    "ports for TLS shut": (
        {"couchbase_host": "couchbases://db", "couchbase_tls": "false"},
        "couchbase_host",
        "must begin with couchbases:// (TLS)",
    ),
    "a management port": (
        {"couchbase_host": "couchbases://db:18091"},
        "couchbase_host",
        "no port but 11207",
    ),
    "the other port": (
        {"couchbase_host": "couchbase://db:11207", "couchbase_tls": "false"},
        "couchbase_host",
        "no port but 11210",
    ),
    "a CA that is not there": (
        {"couchbase_ca_file": "nowhere.pem"},
        "couchbase_ca_file",
        "must be a file",
    ),
    "a CA that is none": (
        {"couchbase_ca_file": "good.tfvars"},
        "couchbase_ca_file",
        "must have certificates in PEM",
    ),
    "a CA with its key": (
        {"couchbase_ca_file": "ca-and-key.pem"},
        "couchbase_ca_file",
        "no private key",
    ),
    "scope of the system": ({"couchbase_scope": "_system"}, "couchbase_scope", "must be 1 to"),
    "collection with a dot": (
        {"couchbase_collection": "a.b"},
        "couchbase_collection",
        "must be 1 to 251",
    ),
    "scope without collection": (
        {"couchbase_scope": "shop"},
        "couchbase_collection",
        "must be set together with couchbase_scope",
    ),
    "another durability": (
        {"couchbase_durability": "Majority"},
        "couchbase_durability",
        "must be majority, none",
    ),
    "no days": ({"couchbase_expiry_days": "0"}, "couchbase_expiry_days", "from 1 to 18000"),
    "half a day": ({"couchbase_expiry_days": "0.5"}, "couchbase_expiry_days", "whole number"),
    "bucket with a space": ({"couchbase_bucket": "my orders"}, "couchbase_bucket", "must be 1"),
    "no user name": ({"couchbase_username": ""}, "couchbase_username", "must not be empty"),
    "blank password": ({"couchbase_password": "  "}, "couchbase_password", "must not be empty"),
    # Confluent Cloud
    "servers with a scheme": (
        {"confluent_bootstrap_servers": "SASL_SSL://x:9092"},
        "confluent_bootstrap_servers",
        "without SASL_SSL://",
    ),
    "another port of Kafka": (
        {"confluent_bootstrap_servers": "pkc-1.confluent.cloud:9092,pkc-2:9093"},
        "confluent_bootstrap_servers",
        "must have the port 9092",
    ),
    "servers without a port": (
        {"confluent_bootstrap_servers": "pkc-1.confluent.cloud"},
        "confluent_bootstrap_servers",
        "must be host:port",
    ),
    "no key": ({"confluent_api_key": ""}, "confluent_api_key", "must not be empty"),
    "no secret": ({"confluent_api_secret": ""}, "confluent_api_secret", "must not be empty"),
    "secret with a line end": (
        {"confluent_api_secret": "s3cr3t-of-me\n"},
        "confluent_api_secret",
        "must not be empty",
    ),
    # The rest
    "token that nothing asks": ({"api_token": "s3cr3t-of-the-api"}, "api_token", "is not set"),
    "orders without a token": ({"take_orders": "true"}, "api_token", "must be 16"),
    "latest": ({"image_tag": "latest"}, "image_tag", "must be a tag"),
    "no tag": ({"image_tag": ""}, "image_tag", "must be a tag"),
    "region in words": ({"region": "Frankfurt"}, "region", "must be the name"),
    "more tasks than partitions": (
        {
            "services": "{fraud={desired_count=7,max_count=7},"
            "web={desired_count=1,max_count=1,consumes=false}}"
        },
        "services",
        "must not be above the number of partitions (6)",
    ),
    "more tasks than fewer partitions": (
        {"partitions": "4"},
        "services",
        "must not be above the number of partitions (4)",
    ),
    "no time to get ready": ({"ready_seconds": "5"}, "ready_seconds", "from 30 to 86400"),
    "desired above maximum": (
        {"services": "{web={desired_count=3,max_count=2,consumes=false}}"},
        "services",
        "from 0 to max_count",
    ),
    "no certificate": ({"certificate_arn": "null"}, "certificate_arn", "allow_plain_http"),
    "a certificate of another region": (
        {"certificate_arn": "arn:aws:acm:us-east-1:111122223333:certificate/1"},
        "certificate_arn",
        "in the same region as the load balancer, eu-central-1",
    ),
    "a name with two dashes": ({"name": "order--app"}, "name", "two dashes"),
    "a name that AWS keeps": ({"name": "internal-orders"}, "name", "begin with internal-"),
    "a name with capitals": ({"name": "OrderApp"}, "name", "lower-case letters"),
    "memory that Fargate has not": (
        {"services": "{web={desired_count=1,max_count=1,consumes=false,memory=3072}}"},
        "services",
        "256 with 512, 1024 or 2048",
    ),
    "a CPU that Fargate has not": (
        {"services": "{web={desired_count=1,max_count=1,consumes=false,cpu=300}}"},
        "services",
        "must be a pair that Fargate has",
    ),
    "steps that Fargate has not": (
        {
            "services": "{web={desired_count=1,max_count=1,consumes=false,cpu=8192,"
            "memory=17408}}"
        },
        "services",
        "in steps of 4096",
    ),
    "visitors twice": (
        {"visitor_cidrs": '["203.0.113.0/24","203.0.113.0/24"]'},
        "visitor_cidrs",
        "must not have a range twice",
    ),
    "visitors with host bits": (
        {"visitor_cidrs": '["203.0.113.7/24"]'},
        "visitor_cidrs",
        "by its first address",
    ),
    "visitors by IPv6": ({"visitor_cidrs": '["::/0"]'}, "visitor_cidrs", "IPv4 ranges"),
    "no visitors": ({"visitor_cidrs": "[]"}, "visitor_cidrs", "must be IPv4 ranges"),
    "clusters with host bits": (
        {"cluster_cidrs": '["10.0.0.1/16"]'},
        "cluster_cidrs",
        "by its first address",
    ),
    "clusters twice": (
        {"cluster_cidrs": '["10.0.0.0/16","10.0.0.0/16"]'},
        "cluster_cidrs",
        "must not have a range twice",
    ),
    "a VPC with host bits": ({"vpc_cidr": "10.42.1.0/16"}, "vpc_cidr", "by its first"),
    "a VPC of IPv6": ({"vpc_cidr": "fd00::/16"}, "vpc_cidr", "must be an IPv4 range"),
    "a VPC that is too small": ({"vpc_cidr": "10.42.0.0/24"}, "vpc_cidr", "from /16 to /20"),
    "a setting that is none": (
        {"settings": '{COUCHBASE_SCOPE="shop"}'},
        "settings",
        "must have names that begin with ORDERAPP_ or OTEL_",
    ),
    "a secret among settings": (
        {"settings": '{ORDERAPP_PAYMENT_TOKEN="s3cr3t"}'},
        "settings",
        "must not have a token",
    ),
    "a setting of another variable": (
        {"settings": '{ORDERAPP_SERVICES="web"}'},
        "settings",
        "what follows from other variables",
    ),
    "a collector with host bits": (
        {"collector_cidrs": '["10.0.0.1/16"]'},
        "collector_cidrs",
        "by its first address",
    ),
    "a topic of another region": (
        {"alarm_topic_arn": "arn:aws:sns:us-east-1:111122223333:orderapp"},
        "alarm_topic_arn",
        "an SNS topic in eu-central-1",
    ),
    "a topic by its name": ({"alarm_topic_arn": "orderapp"}, "alarm_topic_arn", "the ARN of"),
    "no values before the first": (
        {"secrets_previous": "true"},
        "secrets_previous",
        "needs a secrets_version above 1",
    ),
    "metrics for everybody": ({"metrics_cidrs": '["0.0.0.0/0"]'}, "metrics_cidrs", "your own"),
    "metrics twice": (
        {"metrics_cidrs": '["10.0.0.0/16","10.0.0.0/16"]'},
        "metrics_cidrs",
        "must not have a range twice",
    ),
    "partitions by a setting": (
        {"settings": '{ORDERAPP_PARTITIONS="12"}'},
        "settings",
        "follows from other variables",
    ),
    "one zone": ({"zone_count": "1"}, "zone_count", "must be 2, 3 or 4"),
    "a way out that is none": ({"outbound": "internet"}, "outbound", "must be nat"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_stops_the_plan_with_its_own_text(terraform, variables, name):
    values, variable, text = BAD[name]
    planned = plan(terraform, variables, **values)
    said = " ".join(planned.stderr.replace("│", " ").split())
    assert planned.returncode != 0
    assert text in said
    where = r'Error: Invalid value for variable on \S+ line \d+: \d+: (?:variable ")?(\w+)'
    assert re.findall(where, said) == [variable] * said.count("Error:")
    assert "s3cr3t" not in planned.stdout + planned.stderr


def test_the_steps_of_the_docs_do_not_undo_each_other(terraform, tmp_path):
    """Each is a line of the one file of values; applied in order, it is all that changes."""
    docs = known.read("docs/deploy.md")
    assert not re.findall(r"terraform \w+ -var\b", docs)
    steps = re.findall(r"```hcl\n(\w+) += (.+)\n```", docs)
    assert [name for name, _ in steps] == [
        *("image_tag", "image_tag", "secrets_version", "secrets_previous"),
        "deletion_protection",
    ]
    shutil.copy(known.ROOT / "terraform" / "variables.tf", tmp_path)
    kept = [name for name, one in Configuration().variables.items() if not one.get("ephemeral")]
    pairs = "".join(f"{name} = jsonencode(var.{name})\n" for name in kept)
    (tmp_path / "values.tf").write_text(f'output "values" {{\n value = {{\n{pairs}}}\n}}\n')
    (tmp_path / "asked.auto.tfvars").write_text(GOOD)
    values = known.read("terraform/terraform.tfvars.example")

    def applied():
        (tmp_path / "terraform.tfvars").write_text(values)
        done = terraform(tmp_path, "apply", "-auto-approve", "-input=false")
        assert done.returncode == 0, done.stderr
        output = terraform(tmp_path, "output", "-json", "values").stdout
        return json.loads(output)

    assert terraform(tmp_path, "init", "-input=false").returncode == 0
    before = applied()
    for name, value in steps:
        values, replaced = re.subn(rf"(?m)^{name}( +)= \S+", rf"{name}\1= {value}", values)
        assert replaced == 1, f"{name} is not in terraform.tfvars.example"
        after = applied()
        changed = {one: json.loads(after[one]) for one in kept if after[one] != before[one]}
        assert changed == {name: json.loads(value)}
        before = after


@pytest.mark.timeout(600)
def test_terraforms_own_tests_pass(terraform, tmp_path):
    """With a provider that only pretends; it has to be there all the same, for its schema."""
    module = terraform.module(tmp_path)
    done = terraform(module, "test", seconds=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_has_no_complaint():
    """Its exceptions, each with a reason, are in .checkov.yaml. It pins so many packages that
    it wants an environment of its own: pipx install checkov."""
    checkov = shutil.which("checkov")
    if checkov is None:
        pytest.skip("checkov is not installed (pipx install checkov)")
    checked = subprocess.run(
        [checkov, "--config-file", ".checkov.yaml", "--compact", "--quiet"],
        cwd=known.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_exception_of_checkov_has_a_reason():
    lines = Path(known.ROOT / ".checkov.yaml").read_text().splitlines()
    skipped = [line for line in lines if "CKV" in line]
    assert skipped
    for line in skipped:
        assert re.search(r"CKV2?_\w+_\d+ +# \S.{20,}", line), line
