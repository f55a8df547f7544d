"""`GET /api/topics/{topic}/messages`, over a Kafka in memory."""

import pytest

from orderapp.letters.opened import TOPIC
from tests.web.examples import ask

ROUTE = "/api/topics/{topic}/messages"


@pytest.fixture
def orders(letters):
    """Orders in two partitions, one of which is no text, and one has nothing."""
    letters.is_away = False
    letters.add("orders", b'{"order_id": 1}', b"1", 0, [("traceparent", b"00-1")], 1_000)
    letters.add("orders", b"\xff\x00" * 10_000, None, 0, [("h", None)] * 30, 3_000)
    letters.add("orders", None, b"3", 4, (), 2_000)
    return letters


async def get(client, query="", topic="orders"):
    return await ask(client, f"/api/topics/{topic}/messages{query}", route=ROUTE)


async def test_the_newest_come_first_with_key_value_and_headers(client, orders):
    status, answer = await get(client)

    assert (status, answer["topic"], answer["complete"]) == (200, "orders", True)
    second, third, first = answer["messages"]
    assert [(m["partition"], m["offset"]) for m in answer["messages"]] == [
        (0, 1), (4, 0), (0, 0)
    ]  # fmt: skip
    assert first["at"] == "1970-01-01T00:00:01.000Z"
    assert (first["value"]["form"], first["key"]["text"]) == ("json", "1")
    assert first["headers"][0]["name"] == "traceparent"
    assert third["value"] is None
    value = second["value"]
    assert (value["form"], value["length"], value["shown"]) == ("hex", 20_000, 1024)
    assert (len(second["headers"]), second["header_count"]) == (20, 30)
    assert answer["partitions"][0] == {"partition": 0, "begin": 0, "end": 2}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?limit=1", [(0, 1)]),
        ("?partition=4", [(4, 0)]),
        ("?partition=0&offset=0", [(0, 0), (0, 1)]),
        ("?partition=0&offset=1&limit=1", [(0, 1)]),
        ("?partition=0&offset=9", []),
        ("?since=1970-01-01T00:00:02Z", [(4, 0), (0, 1)]),
        ("?since=1970-01-01T00:00:02Z&partition=0", [(0, 1)]),
    ],
)
async def test_they_are_found_by_offset_and_by_time(client, orders, query, found):
    _, answer = await get(client, query)

    assert [(m["partition"], m["offset"]) for m in answer["messages"]] == found


async def test_of_one_alone_more_is_shown(client, orders):
    _, answer = await get(client, "?partition=0&offset=1&limit=1")

    assert answer["messages"][0]["value"]["shown"] == 4096


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?offset=1", "partition"),
        ("?partition=6", "partition"),
        ("?partition=x", "partition"),
        ("?partition=0&offset=-1", "offset"),
        ("?partition=0&offset=1&since=2026-11-23T18:00:00Z", "since"),
        ("?since=yesterday", "since"),
        ("?limit=101", "limit"),
    ],
)
async def test_what_makes_no_sense_is_said(client, orders, query, field):
    status, answer = await get(client, query)

    assert (status, answer["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("topic", ["__consumer_offsets", "payments2"])
async def test_other_topics_of_the_cluster_are_not_shown(client, orders, topic):
    status, answer = await get(client, topic=topic)

    assert status == 404
    assert "not a topic of this pipeline" in answer["detail"]


async def test_dead_letters_lie_in_a_topic_too(client, orders):
    orders.put(7)
    _, answer = await get(client, topic=TOPIC)

    assert answer["messages"][0]["key"]["text"] == "7"


async def test_without_kafka_it_is_unavailable_and_no_host_is_named(client, letters):
    status, answer = await get(client)

    assert status == 503
    assert answer["detail"] == "Kafka did not answer as it should; the log says more"
