"""`/api/rules`, with Kafka's part played by a list."""

from dataclasses import replace

import pytest

from orderapp import control, topics
from orderapp.app import app, settings
from orderapp.engine.errors import SendFailedError
from orderapp.judging import rules
from orderapp.models import Order
from orderapp.web.api import access
from orderapp.web_settings import Web
from tests.rules.log import ControlLog
from tests.web.examples import TIME, ask

RULE = "HIGH_AMOUNT_RISKY_COUNTRY"
PATH, ROUTE = f"/api/rules/{RULE}", "/api/rules/{rule_id}"
ALL = {"limit": 300.0, "safe_countries": ["CA", "US"]}


@pytest.fixture
def log(monkeypatch):
    log = ControlLog()
    monkeypatch.setattr(app, "ready", True)
    monkeypatch.setattr(control.follower, "look", log.look)
    monkeypatch.setattr(topics.control, "send_one", log.send)
    yield log
    log.close()


async def put(client, body, version='"1"', path=PATH, **headers):
    if version is not None:
        headers["If-Match"] = version
    return await ask(client, path, "PUT", ROUTE, json=body, headers=headers)


async def test_all_rules_and_one_are_shown_as_they_are_in_force(client, log):
    await put(client, {"parameters": {"limit": 500}, "author": "ann"})

    status, found = await ask(client, "/api/rules")
    one = await client.get(PATH)

    assert (status, one.status, one.headers["ETag"]) == (200, 200, '"2"')
    assert [rule["id"] for rule in found["rules"]] == sorted(rules.all)
    shown = (await one.json())["rule"]
    assert shown == found["rules"][-1]
    del shown["schemas"], shown["counted"]
    change = {
        "id": RULE,
        "state": "active",
        "version": 2,
        "parameters": ALL | {"limit": 500.0},
        "changed_at": control.changes.taken[0].changed_at,
        "author": "ann",
    }
    assert shown == {**change, "text": rules.all[RULE].text}
    assert found["changes"] == [change]
    assert (found["rules"][0]["changed_at"], found["rules"][0]["author"]) == (None, "")
    assert (await ask(client, "/api/rules/NOPE", route=ROUTE))[0] == 404


async def test_each_parameter_has_its_type_bounds_and_default(client, log):
    _, found = await ask(client, "/api/rules")

    schemas = {rule["id"]: rule["schemas"] for rule in found["rules"]}
    assert schemas["CUSTOMER_VELOCITY"] == {
        "limit": {
            "type": "integer",
            "minimum": 1,
            "exclusiveMaximum": 1000,
            "default": 3,
            "description": "Orders that are not too many.",
        },
        "seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": 3600,
            "default": 60,
            "description": "How long a customer's orders are remembered.",
        },
    }
    countries = schemas[RULE]["safe_countries"]
    assert (countries["type"], countries["default"]) == ("array", ["CA", "US"])
    assert countries["items"] == {"type": "string", "minLength": 1, "maxLength": 64}


async def test_what_was_counted_is_told_by_version_and_state_the_newest_first(client, log):
    order = Order(order_id=7, customer_id=1234, amount=350, country="DE", created_at=TIME)
    before = counted(await ask(client, PATH, route=ROUTE))
    rules.judge([order, order])
    await put(client, {"state": "shadow", "parameters": {"limit": 351}})
    rules.shadow([order])

    after = counted(await ask(client, PATH, route=ROUTE))

    versions = [version for version, _ in after]
    assert versions == sorted(versions, reverse=True)
    zero = (0, 0, 0)
    assert gained(before.get((1, "active"), zero), after[1, "active"]) == (2, 2, 0)
    assert gained(before.get((2, "shadow"), zero), after[2, "shadow"]) == (1, 0, 0)


async def test_a_worker_without_fraud_has_counted_nothing(client, log, monkeypatch):
    without = replace(settings, services={*settings.services} - {"fraud"})
    monkeypatch.setattr("orderapp.web.api.rule_figures.settings", without)

    _, found = await ask(client, "/api/rules")

    assert {rule["counted"] for rule in found["rules"]} == {None}


def counted(answer):
    """By version and state: orders, raised, failed."""
    _, found = answer
    names = ("orders", "raised", "failed")
    return {
        (one["version"], one["state"]): tuple(one[name] for name in names)
        for one in found["rule"]["counted"]
    }


def gained(before, after):
    return tuple(b - a for a, b in zip(before, after, strict=True))


async def test_a_change_holds_before_it_is_answered_for(client, log):
    body = {"state": "shadow", "parameters": {"safe_countries": ["MX"]}, "author": "ann"}
    status, found = await put(client, body)

    assert status == 200
    assert (found["rule"]["version"], found["rule"]["state"]) == (2, "shadow")
    assert found["rule"]["parameters"] == ALL | {"safe_countries": ["MX"]}
    assert rules.all[RULE].version == 2
    assert [(one.version, one.author) for one in control.changes.taken] == [(2, "ann")]


async def test_what_is_so_already_is_no_change(client, log):
    status, found = await put(client, {"state": "active", "parameters": ALL})

    assert (status, found["rule"]["version"], log.records) == (200, 1, [])


async def test_two_people_do_not_overwrite_each_other(client, log):
    assert (await put(client, {"state": "off"}))[0] == 200

    status, found = await put(client, {"state": "shadow"})

    assert (status, rules.all[RULE].state) == (412, "off")
    assert "has version 2, not 1" in found["detail"]
    assert (await put(client, {"state": "shadow"}, '"2"'))[0] == 200
    assert (await put(client, {"state": "off"}, "*"))[0] == 200


@pytest.mark.parametrize(
    ("body", "version", "status", "said"),
    [
        ({}, None, 428, "If-Match"),
        ({}, "1", 400, "one version in quotation marks"),
        ({}, 'W/"1"', 400, "If-Match"),
        ({"state": "on"}, '"1"', 422, "Invalid enum value"),
        ({"colour": "red"}, '"1"', 422, "unknown field `colour`"),
        ({"parameters": {"limit": -1}}, '"1"', 422, "limit=-1 is not allowed"),
        ({"parameters": {"limit": "1"}}, '"1"', 422, "limit='1' is not allowed"),
        ({"parameters": {"colour": 1}}, '"1"', 422, "has no parameter colour"),
        ({"parameters": [1]}, '"1"', 422, "Expected `object`"),
        ({"author": "x" * 101}, '"1"', 422, "length <= 100"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_changed(
    client, log, body, version, status, said
):
    found, answer = await put(client, body, version)

    assert found == status
    assert said in answer["detail"]
    assert answer["errors"]
    assert log.records == []


async def test_a_body_that_is_no_json_is_400(client, log):
    headers = {"If-Match": "*", "Content-Type": "application/json"}

    assert (await ask(client, PATH, "PUT", ROUTE, data=b"{", headers=headers))[0] == 400
    assert (await put(client, {}, path="/api/rules/NOPE"))[0] == 404


async def test_without_kafka_nothing_is_changed(client, log, monkeypatch):
    log.away = SendFailedError("broker-7.inside")
    status, found = await put(client, {"state": "off"})

    assert status == 503
    assert "inside" not in str(found)
    monkeypatch.setattr(app, "ready", False)
    assert (await put(client, {"state": "off"}))[0] == 503
    assert (rules.all[RULE].version, (await client.get(PATH)).status) == (1, 200)


async def test_changes_need_the_token_where_orders_do(client, log, monkeypatch):
    web = Web(take_orders="token", api_token="a token, not a secret")
    monkeypatch.setattr(access, "settings", replace(settings, web=web))
    with_token = {"Authorization": "Bearer a token, not a secret"}

    assert (await put(client, {"state": "off"}))[0] == 401
    assert (await put(client, {"state": "off"}, Authorization="Bearer wrong"))[0] == 401
    assert (await client.get(PATH)).status == 200
    assert (await put(client, {"state": "off"}, **with_token))[0] == 200
