"""The event stream: what it says, and what it does with clients that come back or are slow."""

import asyncio
import json

import pytest
from aiokafka import TopicPartition

from orderapp.engine.kafka.feed import Message, Place
from orderapp.web.api import event_format, event_stream, events, live
from tests.records import record

ORDER = {"order_id": 7, "customer_id": 1234, "amount": 350.0, "country": "DE"}
ALERT = ORDER | {"reason": "HIGH_AMOUNT_RISKY_COUNTRY", "detected_at": "2026"}
PAYMENT = {"order_id": 7, "payment_id": "p", "status": "PAID", "amount": 1, "paid_at": "2026"}


def on(topic, value, **more):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return record(raw, topic=topic, **more)


def data(event):
    """The fields of one server-sent event."""
    head, tail = event.decode().split("data: ", 1)
    assert tail.endswith("\n\n")
    assert tail.count("\n") == 2, "a line break in the data would end the event"
    return dict(line.split(": ", 1) for line in head.splitlines()), json.loads(tail)


def render(*records, skipped=0):
    return data(event_format.render(Place("e", 5), records, skipped))


def test_a_batch_has_the_items_of_each_kind():
    fields, batch = render(
        on("orders", ORDER, partition=3, offset=9, timestamp=1_000), on("fraud-alerts", ALERT),
        on("payments", PAYMENT),
        on("orders-dlq", b"\xff", key=b"7", headers=[
            ("service", b"fraud,payment"), ("error-class", b"ValueError"),
            ("error-text", b"bad <b>"), ("service", b"a sender's own")]),
    )  # fmt: skip

    assert fields == {"id": "e-5", "event": "batch"}
    assert batch == {
        "orders": [
            ORDER | {"created_at": "1970-01-01T00:00:01.000000Z", "partition": 3, "offset": 9}
        ],
        "alerts": [ALERT],
        "payments": [PAYMENT],
        "dead_letters": [
            {
                "order_id": 7,
                "service": "fraud,payment",
                "error_class": "ValueError",
                "error_text": "bad <b>",
            }
        ],
        "skipped": 0,
    }


@pytest.mark.parametrize(
    ("key", "value", "topic", "order_id"),
    [
        (b"1234", ORDER, "orders-by-customer", 7),  # its key is the customer's id
        (b"1234", b"{", "orders-by-customer", None),
        (b"poison", {"order_id": 7}, "orders", None),
        (b"9" * 16, ORDER, "orders", None),
    ],
)
def test_a_dead_letter_is_of_the_order_that_its_document_is_of(key, value, topic, order_id):
    headers = [("service", b"fraud"), ("original-topic", topic.encode())]

    _, batch = render(on("orders-dlq", value, key=key, headers=headers))

    assert [one["order_id"] for one in batch["dead_letters"]] == [order_id]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-11-26T00:49:05", "2026-11-26T00:49:05.000000Z"),
        ("2026-11-26T00:49:05+05:30", "2026-11-25T19:19:05.000000Z"),
        ("2026-11-26T00:49:05.123456Z", "2026-11-26T00:49:05.123456Z"),
    ],
)
def test_the_time_of_an_order_is_that_of_its_document(sent, shown):
    _, batch = render(on("orders", ORDER | {"created_at": sent}))

    assert batch["orders"][0]["created_at"] == shown


def test_an_order_at_no_time_is_left_out():
    _, batch = render(on("orders", ORDER | {"created_at": "soon"}))

    assert batch["orders"] == []


@pytest.mark.parametrize(
    "value", [b"", b"{", b"\xff", b"[]", b'{"order_id":"x"}', b"[" * 100_000, None]
)
def test_what_is_no_order_is_left_out(value):
    _, batch = render(on("orders", value) if value is not None else record(None))

    assert (batch["orders"], batch["skipped"]) == ([], 0)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(ORDER, indent=2).encode(),
        json.dumps(ORDER).replace(" ", "\r").encode(),
        b"\n " + json.dumps(ORDER | {"country": "a\n\nevent: gap\n"}).encode() + b" \n",
    ],
)
def test_line_breaks_of_a_record_do_not_break_the_stream(value):
    _, batch = render(on("orders", value))

    assert batch["orders"][0]["order_id"] == 7


def test_of_a_burst_the_newest_come_and_the_others_are_counted():
    burst = [on("orders", ORDER | {"order_id": n}) for n in range(1000)]
    large = on("fraud-alerts", ALERT | {"note": "x" * 5000})

    _, batch = render(*burst, large, skipped=10)

    assert [order["order_id"] for order in batch["orders"]] == list(range(800, 1000))
    assert batch["skipped"] == 800 + 1 + 10


def test_of_a_burst_over_partitions_the_newest_in_time_come():
    burst = [
        on("orders", ORDER | {"order_id": n}, partition=partition, timestamp=n)
        for partition in range(6)
        for n in range(partition, 600, 6)
    ]

    _, batch = render(*burst)

    assert [order["order_id"] for order in batch["orders"]] == list(range(400, 600))
    assert {order["partition"] for order in batch["orders"]} == set(range(6))


def test_of_large_ones_the_newest_in_time_come():
    burst = [
        on("payments", PAYMENT | {"order_id": n, "note": "x" * 3000}, timestamp=n)
        for partition in range(6)
        for n in range(partition, 60, 6)
    ]

    _, batch = render(*burst)

    count = len(batch["payments"])
    assert 0 < count < 60
    assert [one["order_id"] for one in batch["payments"]] == list(range(60 - count, 60))


def test_a_message_has_a_bound():
    burst = [on("payments", PAYMENT | {"note": "x" * 3000}) for _ in range(200)]

    message = event_format.render(Place("e", 1), burst * 2, 0)

    assert len(message) < event_format.KIND_BYTES + 1000
    assert data(message)[1]["skipped"] > 300


@pytest.mark.parametrize("text", ["", "5", "e-", "e-x", "-", "e-٣", "e-" + "9" * 100, "a-b-c"])
def test_an_id_that_is_none_of_ours_is_no_known_place(text):
    assert events.live.since(event_format.read_event_id(text)) is None


@pytest.fixture
async def feed(monkeypatch):
    """The feed, which gets its messages from the test instead of Kafka."""
    feed = events.Live()

    async def awake(_seconds):
        pass

    monkeypatch.setattr(feed, "wake", awake)
    monkeypatch.setattr(events, "live", feed)
    yield feed
    feed.close_streams()


async def publish(feed, *numbers):
    for number in numbers:
        place = Place(feed.place.epoch, feed.place.number + 1)
        value = on("orders", ORDER | {"order_id": number})
        await feed._publish(Message(place, event_format.render(place, [value], 0)))


async def listen(client, feed, last=None):
    answer = await client.get("/api/events", headers={"Last-Event-ID": last} if last else {})
    assert (answer.status, answer.content_type) == (200, "text/event-stream")
    assert feed.streams
    return answer


async def next_event(answer):
    """The next event with data, as (name, id, data)."""
    fields = {}
    async with asyncio.timeout(60):
        async for line in answer.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                return fields["event"], fields["id"], json.loads(fields["data"])
    raise AssertionError("the stream has ended")


def ids(event):
    return [order["order_id"] for order in event[2]["orders"]]


class Burst:
    """A consumer that has two chunks of records, with their timestamps."""

    def __init__(self, *chunks):
        self.chunks = [
            {
                TopicPartition("orders", partition): [
                    on("orders", ORDER | {"order_id": n}, partition=partition, timestamp=n)
                    for n in numbers
                ]
                for partition, numbers in chunk.items()
            }
            for chunk in chunks
        ]

    async def getmany(self, timeout_ms):
        return self.chunks.pop(0)

    def last_stable_offset(self, _tp):
        return 0


async def test_of_more_than_can_be_shown_the_newest_in_time_are_left(feed, monkeypatch):
    monkeypatch.setattr("orderapp.engine.kafka.feed.MOST", 4)

    await feed._turn(Burst({0: [1, 4, 7], 1: [2, 5, 8]}, {0: [3, 6, 9]}))

    _, batch = data(feed._kept[-1].data)
    assert [order["order_id"] for order in batch["orders"]] == [6, 7, 8, 9]
    assert batch["skipped"] == 5


async def test_every_stream_gets_every_message(client, feed):
    streams = [await listen(client, feed) for _ in range(60)]
    await publish(feed, 1, 2)

    for stream in streams:
        assert ids(await next_event(stream)) == [1]
        assert ids(await next_event(stream)) == [2]
        stream.close()


async def test_a_client_that_comes_back_gets_what_it_has_missed(client, feed):
    first = await listen(client, feed)
    await publish(feed, 1)
    _, last, _ = await next_event(first)
    first.close()
    await publish(feed, 2, 3)

    again = await listen(client, feed, last)
    await publish(feed, 4)

    assert [ids(await next_event(again)) for _ in range(3)] == [[2], [3], [4]]
    again.close()


async def test_a_client_that_comes_back_too_late_is_told_so(client, feed, monkeypatch):
    monkeypatch.setattr("orderapp.engine.kafka.feed.KEPT", 3)
    await publish(feed, *range(10))
    epoch = feed.place.epoch

    for last in (f"{epoch}-6", f"{epoch}-99", "other-9", "nonsense"):
        stream = await listen(client, feed, last)
        name, place, _ = await next_event(stream)
        assert (name, place) == ("gap", f"{epoch}-10")
        stream.close()
    known = await listen(client, feed, f"{epoch}-7")
    assert ids(await next_event(known)) == [7]
    known.close()


async def test_what_is_kept_is_bounded_in_bytes_too(feed, monkeypatch):
    monkeypatch.setattr("orderapp.engine.kafka.feed.KEPT_BYTES", 1000)
    await publish(feed, *range(100))

    assert feed._kept_bytes == sum(len(message.data) for message in feed._kept) <= 1000


async def test_a_new_start_of_the_feed_is_a_gap(client, feed):
    stream = await listen(client, feed)
    await publish(feed, 1)
    _, last, _ = await next_event(stream)
    feed._begin()
    feed._tell("lost")

    name, place, found = await next_event(stream)

    assert (name, found) == ("gap", {"reason": "lost"})
    assert place.endswith("-0")
    assert place != last
    stream.close()


async def test_a_slow_client_misses_messages_and_is_told_so(client, feed, monkeypatch):
    stream = await listen(client, feed)
    (served,) = feed.streams
    with monkeypatch.context() as slow:
        slow.setattr(event_stream, "BEHIND", -1)
        await publish(feed, 1, 2)
        served.beat()
    await publish(feed, 3, 4)

    name, place, _ = await next_event(stream)

    assert (name, place) == ("gap", f"{feed.place.epoch}-3")
    assert ids(await next_event(stream)) == [4]
    stream.close()


async def test_a_slow_client_is_told_also_when_nothing_more_comes(client, feed, monkeypatch):
    stream = await listen(client, feed)
    (served,) = feed.streams
    with monkeypatch.context() as slow:
        slow.setattr(event_stream, "BEHIND", -1)
        await publish(feed, 1)
    served.beat()

    assert (await next_event(stream))[0] == "gap"
    stream.close()


async def test_a_quiet_stream_shows_that_it_is_alive(client, feed, monkeypatch):
    monkeypatch.setattr(live, "SWEEP", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT", 0.02)
    stream = await listen(client, feed)

    async with asyncio.timeout(60):
        while await stream.content.readline() != b": alive\n":
            pass
    stream.close()


async def test_streams_that_are_left_make_room(client, feed, monkeypatch):
    monkeypatch.setattr(live, "MOST", 2)
    monkeypatch.setattr(live, "SWEEP", 0.01)
    first, _second = [await listen(client, feed) for _ in range(2)]
    full = await client.get("/api/events")
    assert (full.status, full.content_type) == (503, "application/problem+json")
    assert full.headers["Retry-After"]

    first.close()
    async with asyncio.timeout(60):
        while len(feed.streams) == 2:  # noqa: ASYNC110 - the sweep tells nobody
            await asyncio.sleep(0.01)
    third = await listen(client, feed)
    third.close()


async def test_the_end_of_the_worker_ends_all_streams(client, feed):
    streams = [await listen(client, feed) for _ in range(3)]

    await feed.on_stop()

    async with asyncio.timeout(60):
        for stream in streams:
            await stream.content.read()
    assert feed.streams == set()
