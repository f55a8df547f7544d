"""`/api/faults`, with Kafka's part played by a list."""

from dataclasses import replace

import pytest

from orderapp import control
from orderapp.app import app, settings
from orderapp.engine.errors import SendFailedError
from orderapp.faults import TEXTS
from orderapp.web.api import access
from orderapp.web_settings import Web
from tests.switches import SwitchLog, allow
from tests.web.examples import ask

PATH, ROUTE = "/api/faults/poison", "/api/faults/{name}"


@pytest.fixture
def log(monkeypatch):
    log = SwitchLog()

    async def send_all(topic, partition, messages):
        assert (topic, partition) == ("orderapp-control", 0)
        for key, value in messages:
            await log.send(key, value)

    monkeypatch.setattr(app, "ready", True)
    monkeypatch.setattr(app, "send_all", send_all)
    monkeypatch.setattr(control.follower, "look", log.look)
    yield log
    log.close()


async def put(client, body, version='"1"', path=PATH, **headers):
    if version is not None:
        headers["If-Match"] = version
    return await ask(client, path, "PUT", ROUTE, json=body, headers=headers)


async def test_a_fault_is_switched_and_who_did_it_is_listed(client, log):
    status, found = await put(client, {"value": 0.5, "author": "ann"})

    assert status == 200
    fault = found["fault"]
    assert (fault["name"], fault["value"], fault["version"]) == ("poison", 0.5, 2)
    assert (fault["author"], fault["refused"], fault["most"]) == ("ann", None, 1)
    assert settings.faults.on() == {"poison": 0.5}
    assert (await put(client, {"value": 1}, '"2"'))[0] == 200

    status, found = await ask(client, "/api/faults")

    assert status == 200
    assert [one["name"] for one in found["faults"]] == list(TEXTS)
    assert [(one["value"], one["author"]) for one in found["changes"]] == [
        *[(1, "api"), (0.5, "ann")]
    ]


async def test_all_are_switched_off_at_once(client, log):
    await put(client, {"value": 0.5})
    await put(client, {"value": 1}, path="/api/faults/attack")

    status, found = await ask(client, "/api/faults/off", "POST", json={"author": "ann"})

    assert status == 200
    assert settings.faults.on() == {}
    assert {one["value"] for one in found["faults"]} == {0}
    assert {one["author"] for one in found["faults"]} == {"ann"}


@pytest.mark.parametrize(
    ("body", "version", "status", "said"),
    [
        ({"value": 1}, None, 428, "If-Match"),
        ({"value": 1}, '"2"', 412, "poison has version 1, not 2"),
        ({"value": 1.5}, '"1"', 422, "poison=1.5 is not allowed"),
        ({"value": -1}, '"1"', 422, ">= 0"),
        ({"value": "1"}, '"1"', 422, "Expected `float`"),
        ({}, '"1"', 422, "missing required field `value`"),
        ({"value": 1, "colour": "red"}, '"1"', 422, "unknown field `colour`"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_changed(
    client, log, body, version, status, said
):
    found, answer = await put(client, body, version)

    assert found == status
    assert said in answer["detail"]
    assert (log.records, settings.faults.on()) == ([], {})


async def test_where_faults_are_not_switched_live_the_answer_says_what_to_do(
    client, log, monkeypatch
):
    allow(monkeypatch, live_faults=False, kafka_bootstrap_servers=("kafka:9092",))
    status, found = await put(client, {"value": 1})

    assert (status, log.records) == (403, [])
    assert "ORDERAPP_LIVE_FAULTS=yes" in found["detail"]
    assert (await ask(client, "/api/faults/off", "POST", json={}))[0] == 403
    _, listed = await ask(client, "/api/faults")
    assert {one["refused"] for one in listed["faults"]} == {found["detail"]}


async def test_an_unknown_fault_is_404_and_without_kafka_it_is_503(client, log, monkeypatch):
    path = "/api/faults/meteor"
    headers = {"If-Match": "*"}
    assert (await client.put(path, json={"value": 1}, headers=headers)).status == 404
    log.away = SendFailedError("broker-7.inside")
    status, found = await put(client, {"value": 1})
    assert status == 503
    assert "inside" not in str(found)
    monkeypatch.setattr(app, "ready", False)
    assert (await put(client, {"value": 1}))[0] == 503
    assert (await ask(client, "/api/faults/off", "POST", json={}))[0] == 503


async def test_changes_need_the_token_where_orders_do(client, log, monkeypatch):
    web = Web(take_orders="token", api_token="a token, not a secret")
    monkeypatch.setattr(access, "settings", replace(settings, web=web))
    with_token = {"Authorization": "Bearer a token, not a secret"}

    assert (await put(client, {"value": 1}))[0] == 401
    assert (await ask(client, "/api/faults/off", "POST", json={}))[0] == 401
    assert (await ask(client, "/api/faults"))[0] == 200
    assert (await put(client, {"value": 1}, **with_token))[0] == 200
