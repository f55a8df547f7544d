"""Every place outside the code that has to name the services names those that are declared."""

import re

import yaml

from orderapp import app
from orderapp.settings import Settings
from tests.deploy.known import ROOT, read

SERVICES = set(app.services.all)
READING = set(app.services.readers)


def named():
    """What each place names, and what it has to."""
    compose = yaml.safe_load(read("docker-compose.yml"))["services"].values()
    run = [one.get("environment", {}).get("ORDERAPP_SERVICES") for one in compose]
    variables = read("terraform/variables.tf")
    tasks = re.search(r'variable "services".*?default = \{(.*?)\n  \}', variables, re.S)[1]
    groups = {Settings(services=frozenset({name})).group: name for name in SERVICES}
    allowed = re.findall(r"allow read --consumer-group (\S+)", read("deploy/confluent-acls.sh"))
    alerts = read("observability/prometheus/alerts.yml")
    setting = re.search(
        r"`ORDERAPP_SERVICES` .*?`([\w,-]+)` this worker", read("docs/settings.md")
    )[1]
    kubernetes = "".join(
        path.read_text("utf-8") for path in sorted(ROOT.glob("deploy/kubernetes/*.yaml"))
    )
    lagging = re.findall(r"consumerGroup: (\S+)", kubernetes)
    return {
        "docker-compose.yml": (set(filter(None, run)), SERVICES),
        "terraform/variables.tf": (set(re.findall(r"^ +(\w+) +=", tasks, re.M)), SERVICES),
        "deploy/confluent-acls.sh": (
            {groups.get(group, group) for group in allowed},
            READING | {"producer"},
        ),
        "deploy/kubernetes": (
            set(re.findall(r"\{name: ORDERAPP_SERVICES, value: (\w+)\}", kubernetes)),
            SERVICES,
        ),
        "deploy/kubernetes, ScaledObject": (
            {groups.get(group, group) for group in lagging},
            READING,
        ),
        "observability/prometheus/alerts.yml, OrderappServiceMissing": (
            set(re.findall(r'records_total\{service="(\w+)"', alerts)),
            READING,
        ),
        "docs/settings.md, ORDERAPP_SERVICES": (set(setting.split(",")), SERVICES),
    }


def lacking(places):
    return [
        f"{place}: lacks {', '.join(sorted(declared - found)) or 'none'}"
        + (f"; names {', '.join(sorted(found - declared))}" if found - declared else "")
        for place, (found, declared) in places.items()
        if found != declared
    ]


def test_every_place_names_the_services_that_are_declared():
    places = lacking(named())

    assert not places, "services are not named alike:\n" + "\n".join(places)


def test_a_new_service_is_missed_in_every_place(monkeypatch):
    monkeypatch.setattr(f"{__name__}.SERVICES", SERVICES | {"shipping"})
    monkeypatch.setattr(f"{__name__}.READING", READING | {"shipping"})

    assert [line.endswith("lacks shipping") for line in lacking(named())] == [True] * 7
