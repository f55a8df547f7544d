"""`POST /api/dead-letters/replay` and `…/drop`, over a Kafka in memory."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from orderapp.app import settings
from orderapp.engine.dead_letters import resolve
from orderapp.letters.opened import RESOLVED
from orderapp.web.api import access, dead_letter_changes
from orderapp.web_settings import Web
from tests.web.examples import ask

REPLAY, DROP = "/api/dead-letters/replay", "/api/dead-letters/drop"


async def post(client, path, body, **headers):
    return await ask(client, path, "POST", json=body, headers=headers)


async def done(client, path, body):
    status, answer = await post(client, path, body)
    assert status == 200, answer
    return answer["done"]


async def states(client):
    _, answer = await ask(client, "/api/dead-letters")
    return {letter["order_id"]: letter["state"] for letter in answer["letters"]}


def replayed(letters):
    return [(r.partition, r.key, dict(r.headers)) for r in letters.reader.topics["orders"]]


async def test_a_letter_is_replayed_where_it_came_from_and_noted(client, letters):
    place, _ = letters.put(7, value=b"{7}"), letters.put(8)

    status, answer = await post(client, REPLAY, {"places": [place]})

    assert (status, answer) == (
        200,
        {
            "action": "replayed", "dry_run": False, "done": 1, "already_done": 0, "skipped": 0,
            "complete": True, "errors": [], "notices": [], "status": "ok",
        },
    )  # fmt: skip
    ((partition, key, headers),) = replayed(letters)
    assert (partition, key) == (3, b"7")
    assert headers["replay-of"] == f"orders-dlq[3]@{place[2:]}".encode()
    assert await states(client) == {7: "replayed", 8: "open"}
    _, again = await post(client, REPLAY, {"places": [place]})
    assert (again["done"], again["already_done"]) == (0, 1)
    assert len(replayed(letters)) == 1


async def test_a_dropped_one_is_noted_and_not_sent(client, letters):
    places = [letters.put(n) for n in range(3)]
    letters.put(4, headers=())

    assert await done(client, DROP, {"places": places[:2] * 2}) == 2
    assert await states(client) == {0: "dropped", 1: "dropped", 2: "open", 4: "open"}
    assert await done(client, DROP, {"everything": True}) == 2

    assert {*(await states(client)).values()} == {"dropped"}
    assert replayed(letters) == []


@pytest.mark.parametrize(
    ("chosen", "orders"),
    [
        ({"service": "fraud"}, [1]),
        ({"error": "REFUSED"}, [2]),
        ({"order_id": 1}, [1]),
        ({"error": "no answer", "service": "payment"}, [1, 3]),
        ({"since": "2000-01-01T00:00:00Z"}, [1, 2, 3]),
        ({"until": "2000-01-01T00:00:00Z"}, []),
        ({"everything": True}, [1, 2, 3]),
    ],
)
async def test_filters_choose_as_those_of_the_command_and_a_dry_run_counts_the_same(
    client, letters, chosen, orders
):
    letters.put(1, "fraud,payment")
    letters.put(2, error=ValueError("refused"))
    letters.put(3)
    letters.put(4, headers=())

    status, answer = await post(client, REPLAY, {**chosen, "dry_run": True})
    assert (status, answer["done"], answer["dry_run"]) == (200, len(orders), True)
    assert replayed(letters) == letters.reader.topics[RESOLVED] == []
    assert await done(client, REPLAY, chosen) == len(orders)

    assert [int(key) for _, key, _ in replayed(letters)] == orders
    assert await done(client, REPLAY, chosen) == 0


async def test_a_service_narrows_what_is_done_to_itself(client, letters):
    letters.put(7, "fraud,payment")

    assert await done(client, REPLAY, {"service": "fraud"}) == 1

    ((*_, headers),) = replayed(letters)
    assert headers["replay-for"] == b"fraud"
    _, answer = await ask(client, "/api/dead-letters")
    assert answer["letters"][0]["open_for"] == ["payment"]


async def test_damaged_ones_are_skipped_when_filters_choose_them(client, letters):
    letters.put(7, headers=())
    letters.put(8)

    _, answer = await post(client, REPLAY, {"everything": True})

    assert (answer["done"], answer["skipped"]) == (1, 1)


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("path", [REPLAY, DROP])
async def test_one_wrong_place_and_nothing_is_done(client, letters, path, dry_run):
    place = letters.put(7)

    body = {"places": [place, "3:99", "999999999:1"], "dry_run": dry_run}
    status, problem = await post(client, path, body)

    assert status == 422
    assert problem["detail"] == (
        "nothing was done: 3:99: there is no dead letter at this place; and 1 more"
    )
    assert [error["field"] for error in problem["errors"]] == ["places", "places"]
    assert await states(client) == {7: "open"}
    assert replayed(letters) == letters.reader.topics[RESOLVED] == []


async def test_a_damaged_one_that_is_named_is_not_replayed(client, letters):
    place = letters.put(7, headers=())

    status, problem = await post(client, REPLAY, {"places": [place]})

    assert status == 422
    assert f"{place} can't be replayed: the header 'service' is missing" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "places", "which ones? Give places, filters, or everything"),
        ({"dry_run": True}, "places", "which ones?"),
        ({"places": []}, "places", "which ones?"),
        ({"everything": True, "order_id": 7}, "everything", "does not go with places"),
        ({"everything": True, "places": ["3:1"]}, "everything", "does not go with"),
        ({"places": ["3:1", "3/17"]}, "places[1]", "'3/17' is no place: give PARTITION:OFF"),
        ({"places": ["9" * 5_000]}, "places[0]", "\\u2026' is no place"),
        ({"places": ["\u0663:1"]}, "places[0]", r"'\u0663:1' is no place"),
        ({"places": ["<img src=x>"]}, "places[0]", "'<img src=x>' is no place"),
        ({"places": [7]}, "places[0]", "Expected `str`, got `int`"),
        ({"places": ["3:1"] * 1_001}, "places", "length <= 1000"),
        ({"service": "loyalty"}, "service", "'loyalty' is no service: one of fraud, payment"),
        ({"since": "yesterday"}, "since", "'yesterday' is no RFC 3339 time"),
        ({"until": "1796010112345"}, "until", "'1796010112345' is no RFC 3339 time"),
        ({"order_id": "7"}, "order_id", "got `str`"),
        ({"order_id": 2**53}, "order_id", "9007199254740991"),
        ({"error": ""}, "error", "length >= 1"),
        ({"offset": 7}, "", "unknown field `offset`"),
        ([], "", "Expected `object`"),
    ],
)
@pytest.mark.parametrize("path", [REPLAY, DROP])
async def test_a_wrong_choice_is_named_and_nothing_is_done(
    client, letters, path, body, field, said
):
    letters.put(7)

    status, problem = await post(client, path, body)

    assert status == 422
    assert said in problem["detail"]
    assert problem["errors"][0]["field"] == field
    assert len(problem["detail"]) < 500
    assert await states(client) == {7: "open"}


async def test_what_is_no_json_is_400(client, letters):
    for body in (b"", b"{", b"\xff"):
        headers = {"Content-Type": "application/json"}
        status, _ = await ask(client, DROP, "POST", data=body, headers=headers)

        assert status == 400
    assert (await ask(client, DROP, "POST", data=b"{}"))[0] == 415


@pytest.mark.parametrize("path", [REPLAY, DROP])
async def test_who_may_not_send_orders_may_not_do_this_either(
    client, letters, monkeypatch, path
):
    letters.put(7)
    everything = {"everything": True}
    status, problem = await post(client, path, everything, Origin="http://evil.example")
    assert status == 403
    assert "set ORDERAPP_API_TOKEN for the worker" in problem["detail"]

    web = Web(take_orders="token", api_token="a token, not a secret")
    monkeypatch.setattr(access, "settings", replace(settings, web=web))
    assert (await post(client, path, everything))[0] == 401
    assert (await post(client, path, everything, Authorization="Bearer wrong"))[0] == 401
    assert (await post(client, path, everything | {"dry_run": True}))[0] == 401
    assert await states(client) == {7: "open"}
    right = {"Authorization": f"Bearer {web.api_token}"}
    assert (await post(client, path, everything, **right))[0] == 200
    assert await states(client) != {7: "open"}


async def test_without_kafka_nothing_is_done(client, letters):
    status, problem = await post(client, REPLAY, {"everything": True})

    assert status == 503
    assert "a:1" not in problem["detail"]


@pytest.mark.parametrize("topic", ["orders", RESOLVED])
async def test_what_kafka_did_not_confirm_stays_open_and_can_be_repeated(
    client, letters, topic
):
    letters.put(7)
    letters.fail(topic, KafkaTimeoutError())

    status, problem = await post(client, REPLAY, {"everything": True})

    assert status == 503
    assert "the request can be repeated" in problem["detail"]
    assert await states(client) == {7: "open"}
    letters.fails.clear()
    assert await done(client, REPLAY, {"everything": True}) == 1


async def test_how_many_were_done_before_kafka_went_away_is_told(client, letters, monkeypatch):
    monkeypatch.setattr(resolve, "WINDOW", 1)
    for n in range(3):
        letters.put(n)
    letters.fail(RESOLVED, KafkaTimeoutError(), after=2)

    status, problem = await post(client, DROP, {"everything": True})

    assert status == 503
    assert "2 were dropped before; the request can be repeated" in problem["detail"]
    letters.fails.clear()
    assert await done(client, DROP, {"everything": True}) == 1


async def test_one_that_its_topic_refuses_is_told(client, letters):
    place = letters.put(7)
    letters.fail("orders", MessageSizeTooLargeError())

    status, answer = await post(client, REPLAY, {"places": [place]})

    assert (status, answer["done"], len(answer["errors"])) == (200, 0, 1)
    assert answer["errors"][0].startswith(f"{place} can't be replayed: its topic refuses it")


async def test_what_there_was_no_time_for_is_left_for_the_same_request(
    client, letters, monkeypatch
):
    monkeypatch.setattr(dead_letter_changes, "WORK", -1.0)
    letters.put(7)

    _, answer = await post(client, REPLAY, {"everything": True})
    assert (answer["done"], answer["complete"]) == (0, False)
    monkeypatch.setattr(dead_letter_changes, "WORK", 10.0)
    _, answer = await post(client, REPLAY, {"everything": True})

    assert (answer["done"], answer["complete"]) == (1, True)


async def test_two_at_once_do_it_once(client, letters):
    for n in range(5):
        letters.put(n)

    found = await asyncio.gather(
        *(done(client, REPLAY, {"everything": True}) for _ in range(4))
    )

    assert sorted(found) == [0, 0, 0, 5]
    assert len(replayed(letters)) == 5
