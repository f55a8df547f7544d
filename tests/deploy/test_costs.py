"""The costs in docs/deploy.md: they add up, and count what Terraform makes."""

import re
from decimal import Decimal
from typing import NamedTuple

import pytest

from orderapp.settings import CONSUMERS
from tests.deploy import known
from tests.deploy.hcl import Configuration

TEXT = known.read("docs/deploy.md").split("### Costs\n")[1].split("\n### ")[0]
HOURS = Decimal(730)

#: By the beginning of a row: USD an hour in us-east-1, as AWS has published it.
HOURLY = {
    "tasks of 0.25 vCPU and 0.5 GB": Decimal("0.25") * Decimal("0.04048")
    + Decimal("0.5") * Decimal("0.004445"),
    "NAT gateways": Decimal("0.045"),
    "load balancers": Decimal("0.0225"),
    "public IPv4 addresses": Decimal("0.005"),
    '`outbound = "nat-per-zone"`': Decimal("0.045") + Decimal("0.005"),
    '`outbound = "endpoints"`': Decimal("0.01"),
    "and no NAT gateway": -Decimal("0.045") - Decimal("0.005"),
    "`zone_count = 3`": Decimal("0.005"),
}


class Row(NamedTuple):
    what: str
    many: int
    each: Decimal
    usd: Decimal


def rows(text):
    """The rows of its tables that have a number of things."""
    cells = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return [
        Row(what, int(many), Decimal(each), Decimal(usd))
        for what, many, each, usd in cells
        if many.isdigit()
    ]


STANDING, CHANGES = (rows(part) for part in TEXT.split("\n| change |"))


def many(beginning):
    (found,) = [row.many for row in STANDING + CHANGES if row.what.startswith(beginning)]
    return found


@pytest.fixture(scope="module")
def config():
    return Configuration()


@pytest.mark.parametrize("row", STANDING + CHANGES, ids=lambda row: row.what[:30])
def test_a_row_is_as_many_as_it_says_times_the_price(row):
    assert row.many * row.each == row.usd


def test_the_rows_come_to_the_sum():
    (together,) = re.findall(r"\*\*together\*\* \|\s*\|\s*\| \*\*([\d.]+)\*\*", TEXT)

    assert len(STANDING) == 8
    assert sum(row.usd for row in STANDING) == Decimal(together)


@pytest.mark.parametrize("what", HOURLY)
def test_prices_are_those_of_the_hours_of_a_month(what):
    (row,) = [row for row in STANDING + CHANGES if row.what.startswith(what)]

    assert abs(row.each - HOURLY[what] * HOURS) < Decimal("0.01")


def test_arm64_costs_a_fifth_less():
    (row,) = [row for row in CHANGES if "ARM64" in row.what]
    arm = Decimal("0.25") * Decimal("0.03238") + Decimal("0.5") * Decimal("0.00356")
    saved = (HOURLY["tasks of 0.25 vCPU and 0.5 GB"] - arm) * HOURS

    assert row.many == many("tasks")
    assert abs(row.each + saved) < Decimal("0.01")


def test_tasks_are_those_that_run_by_default(config):
    services = config.variables["services"]["default"].values()

    assert many("tasks") == sum(one["desired_count"] for one in services)
    # None of them is larger than the row says.
    assert not [one for one in services if {"cpu", "memory"} & set(one)]
    kind = " ".join(str(config.variables["services"]["type"]).split())
    assert "cpu = optional(number, 256)" in kind
    assert "memory = optional(number, 512)" in kind


def test_every_public_address_is_counted(config):
    zones = config.variables["zone_count"]["default"]
    # One zone's NAT gateway by default, with its address, and the load balancer in each zone.
    assert config.variables["outbound"]["default"] == "nat"
    assert '(var.outbound == "nat" && index == 0)' in config.locals["nat_zones"]
    assert {*config.resources("aws_eip")} == {"nat"}
    for kind, name in (("aws_eip", "nat"), ("aws_nat_gateway", "main")):
        assert config.resource(kind, name)["for_each"] == "${local.nat_zones}"
    (balancer,) = config.resources("aws_lb").values()
    assert balancer["internal"] is False
    assert "aws_subnet.public" in str(balancer["subnets"])
    assert config.resource("aws_subnet", "public")["for_each"] == "${local.zones}"
    # Nothing else has one: no task, and nothing in a subnet by itself.
    (network,) = config.resource("aws_ecs_service", "service")["network_configuration"]
    assert network["assign_public_ip"] is False

    assert many("NAT gateways") == many("load balancers") == 1
    assert many("public IPv4 addresses") == 1 + zones
    assert many('`outbound = "nat-per-zone"`') == zones - 1


def test_metrics_of_container_insights_follow_from_what_is_assumed(config):
    cluster, service, task = map(
        int,
        re.findall(
            r"(\d+) metrics for the cluster, (\d+) for each service and (\d+) for each task",
            TEXT,
        )[0],
    )
    services = len(config.variables["services"]["default"])

    assert config.resource("aws_ecs_cluster", "main")["setting"] == [
        {"name": "containerInsights", "value": "enabled"}
    ]
    assert many("metrics of Container Insights") == cluster + (service + task) * services


def test_what_else_is_counted_is_that_of_the_code(config):
    secrets = config.resources("aws_secretsmanager_secret").values()
    always = [one for one in secrets if "count" not in one]
    assert (many("secrets"), many("`take_orders")) == (len(always), len(secrets) - len(always))

    assert len(config.resources("aws_cloudwatch_log_group")) == 1

    of_web = len(re.findall(r"\bmetric\s*=", str(config.locals["alarms"])))
    services = config.variables["services"]["default"].values()
    of_services = [one for one in services if one["desired_count"] > 0]
    assert many("`alarm_topic_arn`") == of_web + len(of_services)

    interfaces = config.resource("aws_vpc_endpoint", "aws")["for_each"]
    always = interfaces.split("concat([")[1].split("]")[0].split(",")
    assert (
        many('`outbound = "endpoints"`')
        == len(always) * config.variables["zone_count"]["default"]
    )

    assert len(config.resources("aws_service_discovery_private_dns_namespace")) == many(
        "`metrics_cidrs`"
    )
    assert many("`publish_lag") == len(CONSUMERS)


def test_an_address_more_is_noticed(config):
    more = Configuration(('resource "aws_eip" "nat" {', 'resource "aws_eip" "other" {'))
    with pytest.raises(AssertionError):
        test_every_public_address_is_counted(more)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (
            ("web       = { desired_count = 2", "web       = { desired_count = 3"),
            test_tasks_are_those_that_run_by_default,
        ),
        (
            ("recovery_window_in_days = 7\n}", "recovery_window_in_days = 7\n  count = 1\n}"),
            test_what_else_is_counted_is_that_of_the_code,
        ),
        (('"ecr.dkr", ', ""), test_what_else_is_counted_is_that_of_the_code),
        (('"nat" && index == 0', '"nat"'), test_every_public_address_is_counted),
        (
            ('value = "enabled"', 'value = "enhanced"'),
            test_metrics_of_container_insights_follow_from_what_is_assumed,
        ),
    ],
    ids=["a task", "a secret", "an endpoint", "a NAT gateway", "other metrics"],
)
def test_what_the_table_does_not_count_is_noticed(change, check):
    with pytest.raises(AssertionError):
        check(Configuration(change))
