"""The alert rules: each has a runbook section, and does what it says."""

import re
import shutil
import subprocess

import pytest
import yaml
from click.testing import CliRunner
from faust.cli.base import cli

from orderapp.settings import CONSUMERS
from tests.deploy.known import ROOT, read, settings
from tests.observability import names

RULES = names.rules()
RUNBOOK = read("docs/runbook.md")
FOLDER = ROOT / "observability/prometheus"


def sections():
    """The runbook's sections, by the anchors that GitHub gives them."""
    return {
        title.strip().lower().replace(" ", "-"): text
        for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.M | re.S)
    }


def promtool(*arguments):
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: `apt-get install prometheus`)")
    return subprocess.run(
        [tool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_is_so_and_where_to_read_on(rule):
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert (file, anchor) == ("docs/runbook.md", rule["alert"].lower())
    assert anchor in sections()


def test_every_section_of_the_runbook_is_an_alerts():
    assert list(sections()) == [rule["alert"].lower() for rule in RULES]


@pytest.mark.parametrize("anchor", sections())
def test_a_section_says_what_it_means_how_to_look_and_what_to_do(anchor):
    text = sections()[anchor]

    assert re.findall(r"^\*\*(Means|Look|Do)\*\* ", text, re.M) == ["Means", "Look", "Do"]


def test_links_settings_metrics_and_graphs_in_the_runbook_exist():
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert not anchor or anchor in sections(), target
    for name in re.findall(r"`(ORDERAPP_[A-Z_]+)`", RUNBOOK):
        assert name in settings(), name
    for name in re.findall(r"`(orderapp_\w+)", RUNBOOK):
        assert name in names.sample_names(), name
    titles = {panel["title"] for panel in names.panels()}
    quoted = set(re.findall(r'"([A-Z][^"]+)"', RUNBOOK))
    assert {"Lag", "Requests"} <= quoted <= titles


COMMANDS = sorted(set(re.findall(r"faust -A orderapp ((?:dlq )?[a-z]+)", RUNBOOK)))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_in_the_runbook_exist(command):
    shown = CliRunner().invoke(cli, ["-A", "orderapp", *command.split(), "--help"])

    assert shown.exit_code == 0, shown.output
    assert f" {command} [OPTIONS]" in shown.output


def test_every_service_that_consumes_is_missed_when_it_has_no_worker():
    (rule,) = (rule for rule in RULES if rule["alert"] == "OrderappServiceMissing")

    missed = re.findall(r'absent\(orderapp_records_total\{service="(\w+)"', rule["expr"])
    assert sorted(missed) == sorted(CONSUMERS)
    assert '"service", "web"' in rule["expr"]


def test_prometheus_reads_the_rules_of_its_own_folder():
    config = yaml.safe_load(read("observability/prometheus/prometheus.yml"))

    for path in config["rule_files"]:
        assert (FOLDER / path).is_file()


def test_every_alert_is_shown_to_fire_and_to_be_quiet():
    cases = yaml.safe_load(read("observability/prometheus/alerts_test.yml"))["tests"]
    fires, quiet = set(), set()
    for case in cases:
        for look in case["alert_rule_test"]:
            (fires if look["exp_alerts"] else quiet).add(look["alertname"])

    assert fires == quiet == {rule["alert"] for rule in RULES}


def test_promtool_accepts_configuration_and_rules():
    checked = promtool("check", "config", "prometheus.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_rules_fire_when_they_should_and_only_then():
    checked = promtool("test", "rules", "alerts_test.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr
