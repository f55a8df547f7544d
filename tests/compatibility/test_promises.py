"""What the last release promised still holds, and what breaks it is found."""

import copy

import pytest

from orderapp.web.api import asyncapi
from tests.compatibility import messages, names
from tests.compatibility.promises import PROMISES, broken
from tests.deploy import known


@pytest.mark.parametrize("name", PROMISES)
def test_nothing_that_users_rely_on_has_changed(name):
    found = broken(name)

    assert not found, (
        "users break. If it has to be: docs/stability.md says how, the CHANGELOG says that it "
        f"is so, and `python -m tests.compatibility --keep` writes the files anew: {found}"
    )


@pytest.mark.parametrize("name", PROMISES)
def test_the_policy_names_each(name):
    assert f"`{name}.json`" in known.read("docs/stability.md")


@pytest.mark.parametrize("name", ["settings", "commands", "metrics", "interface"])
def test_what_is_gone_is_told_and_what_is_new_is_not(name):
    now = PROMISES[name].now()

    assert names.breaks([*now, "b"], now) == ["b is removed or changed"]
    assert names.breaks(now, [*now, "b"]) == []


def test_the_names_are_those_of_the_code():
    assert "ORDERAPP_FRAMING=none" in names.settings()
    assert "KAFKA_BOOTSTRAP_SERVERS=" in names.settings()
    assert {"dlq show PLACES", "dlq show --json"} <= set(names.commands())
    assert "orderapp_kafka_up{} gauge" in names.metrics()
    assert {"app.each(topic)", "app.each(overlap=16)"} <= set(names.interface())


def order(found):
    return found["components"]["schemas"]["Order"]


BREAKS = {
    "the topic payments is removed": lambda d: d["channels"].pop("payments"),
    "orderapp-control: the message fault-change is removed": lambda d: d["channels"][
        "orderapp-control"
    ]["messages"].pop("fault-change"),
    "orders: 3 partitions, and had 6": lambda d: d["channels"]["orders"]["bindings"][
        "kafka"
    ].update(partitions=3),
    "orders: the key is the customer id": lambda d: d["components"]["messages"]["orders"][
        "bindings"
    ]["kafka"]["key"].update(description="the customer id"),
    "orders: the value.amount is removed": lambda d: order(d)["properties"].pop("amount"),
    "orders: the value.shop is required": lambda d: order(d)["required"].append("shop"),
    "orders: the value.country may be missing": lambda d: order(d)["required"].remove(
        "country"
    ),
    "orders-dlq: the headers.service is removed": lambda d: d["components"]["messages"][
        "orders-dlq"
    ]["headers"]["properties"].pop("service"),
}


@pytest.mark.parametrize("told", BREAKS)
def test_what_breaks_readers_or_writers_of_a_topic_is_found(told):
    changed = copy.deepcopy(asyncapi.document())
    BREAKS[told](changed)

    found = messages.breaks(asyncapi.document(), changed)

    assert any(told in line for line in found), found


def test_a_topic_or_a_field_more_breaks_nobody():
    changed = copy.deepcopy(asyncapi.document())
    changed["channels"]["refunds"] = changed["channels"]["orders"]
    order(changed)["properties"]["shop"] = {"type": "string"}

    assert messages.breaks(asyncapi.document(), changed) == []
