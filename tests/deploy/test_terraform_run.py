"""Terraform, run: what it says of bad values, its own tests where its provider can be had, and
checkov."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy import known


@pytest.fixture(scope="module")
def terraform():
    """Run `terraform`; skips where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")

    def run(directory, *arguments, seconds=120):
        return subprocess.run(
            [program, *arguments, "-no-color"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )

    return run


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
    started = terraform(directory, "init", "-input=false")
    assert started.returncode == 0, started.stderr
    return directory


GOOD = """
confluent_bootstrap_servers = "pkc-1.eu-central-1.aws.confluent.cloud:9092"
confluent_api_key           = "KEY"
confluent_api_secret        = "s3cr3t-of-kafka"
couchbase_host              = "cb.test.cloud.couchbase.com"
couchbase_bucket            = "orders"
couchbase_username          = "orderapp"
couchbase_password          = "s3cr3t-of-couchbase"
"""


def plan(terraform, directory, *values):
    options = [f"-var={value}" for value in values]
    return terraform(directory, "plan", "-input=false", "-var-file=good.tfvars", *options)


def test_the_example_is_accepted(terraform, variables):
    planned = plan(terraform, variables)
    assert planned.returncode == 0, planned.stderr


def test_orders_are_taken_with_a_token(terraform, variables):
    values = ("take_orders=true", "api_token=s3cr3t-of-the-api")
    planned = plan(terraform, variables, *values)
    assert planned.returncode == 0, planned.stderr
    assert "s3cr3t" not in planned.stdout


BAD = {
    "host with a scheme": (
        "couchbase_host=couchbases://cb.test.cloud.couchbase.com",
        "without couchbases://",
    ),
    "servers with a scheme": (
        "confluent_bootstrap_servers=SASL_SSL://x:9092",
        "without SASL_SSL://",
    ),
    "servers without a port": (
        "confluent_bootstrap_servers=pkc-1.confluent.cloud",
        "must be host:port",
    ),
    "bucket with a space": ("couchbase_bucket=my orders", "couchbase_bucket must be"),
    "no key": ("confluent_api_key=", "confluent_api_key must not be empty"),
    "no secret": ("confluent_api_secret=", "confluent_api_secret must not be empty"),
    "no user": ("couchbase_username=", "couchbase_username must not be empty"),
    "blank password": ("couchbase_password=  ", "couchbase_password must not be empty"),
    "secret with a line end": (
        "confluent_api_secret=s3cr3t-of-me\n",
        "confluent_api_secret must not",
    ),
    "token that nothing asks": ("api_token=s3cr3t-of-the-api", "api_token must be"),
    "orders without a token": ("take_orders=true", "api_token must be"),
    "latest": ("image_tag=latest", "image_tag must be"),
    "no tag": ("image_tag=", "image_tag must be"),
    "region in words": ("region=Frankfurt", "region must be"),
    "more tasks than partitions": (
        "services={fraud={desired_count=7,max_count=7},web={desired_count=1,max_count=1,consumes=false}}",
        "must not be above the number of partitions (6)",
    ),
    "more tasks than fewer partitions": (
        "partitions=4",
        "must not be above the number of partitions (4)",
    ),
    "desired above maximum": (
        "services={web={desired_count=3,max_count=2,consumes=false}}",
        "from 0 to max_count",
    ),
    "no certificate": ("certificate_arn=null", "allow_plain_http"),
    "one zone": ("zone_count=1", "zone_count must be"),
    "a way out that is none": ("outbound=internet", "outbound must be"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_stops_the_plan_with_its_own_text(terraform, variables, name):
    value, text = BAD[name]
    variable = value.partition("=")[0]
    if value == "certificate_arn=null":
        (variables / "null.tfvars").write_text("certificate_arn = null\n")
        planned = terraform(
            variables, "plan", "-input=false", "-var-file=good.tfvars", "-var-file=null.tfvars"
        )
    else:
        planned = plan(terraform, variables, value)
    said = " ".join(planned.stderr.replace("│", " ").split())
    assert planned.returncode != 0
    assert text in said
    assert variable in said or text.startswith(("must not be above", "api_token"))
    assert "s3cr3t" not in planned.stdout + planned.stderr


def plugins():
    """Options of `terraform init` for a provider on this machine; none: the registry's."""
    places = [Path.home() / ".terraform.d" / "plugins", *Path("/opt").glob("*plugins*")]
    found = [place for place in places if [*place.glob("registry*/hashicorp/aws/*/*/*aws_v*")]]
    return [f"-plugin-dir={place}" for place in found]


@pytest.mark.timeout(600)
def test_terraforms_own_tests_pass(terraform, tmp_path):
    """With a provider that only pretends; it has to be there all the same, for its schema."""
    module = tmp_path / "terraform"
    shutil.copytree(
        known.ROOT / "terraform",
        module,
        ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"),
    )
    options = ["-backend=false", "-input=false", *plugins()]
    started = terraform(module, "init", *options)
    if started.returncode != 0 and "provider" in started.stderr and len(options) == 2:
        pytest.skip("terraform init cannot install the AWS provider here")
    assert started.returncode == 0, started.stderr
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
