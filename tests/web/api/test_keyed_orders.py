"""Orders with an idempotency key, with several workers over one store, and Kafka's part played
by a list."""

import asyncio
import itertools
import json
import time
from types import SimpleNamespace

import pytest

from orderapp.app import app
from orderapp.engine.errors import SendFailedError, SendRefusedError, TransientError
from orderapp.order_ids import OrderIds
from orderapp.store import StoreUnavailable
from orderapp.web.api import keyed_orders, sent_order
from orderapp.web.api.idempotency_key import meant
from orderapp.web.api.keyed_orders import KeyedOrders
from orderapp.web.api.new_order import NewOrder
from orderapp.web.server.problems import Problem
from tests.web.examples import ask, order

GOOD = {"customer_id": 1234, "amount": 350.25, "country": "DE"}
WANTED = NewOrder(**GOOD)
OTHERS = [NewOrder(**(GOOD | each)) for each in ({"amount": 350.26}, {"customer_id": 1235})]


class Topic:
    """What was sent to `orders`; what is done to those who send and look there."""

    def __init__(self):
        self.sent, self.looked_up = [], []
        self.away = self.lookup_away = None
        #: Whether what fails was written all the same.
        self.is_written = False
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.numbers = itertools.count()

    async def number(self, topic):
        return next(self.numbers)

    async def send_all(self, topic, partition, messages, headers):
        self.begun.set()
        await self.go_on.wait()
        if not self.away or self.is_written:
            self.sent += [(key, json.loads(value)) for key, value in messages]
        if self.away:
            raise self.away

    async def find_since(self, cluster, topic, key, since_ms):
        self.looked_up.append(key)
        if self.lookup_away:
            raise self.lookup_away
        return next((value for sent, value in self.sent if sent == key), None)


@pytest.fixture
def topic(monkeypatch, store):
    topic = Topic()
    monkeypatch.setattr(app, "ready", True)
    monkeypatch.setattr(app, "cluster", object())
    monkeypatch.setattr(app, "send_all", topic.send_all)
    monkeypatch.setattr(sent_order, "order_ids", OrderIds(lambda: topic.number("orders")))
    monkeypatch.setattr(keyed_orders, "find_since", topic.find_since)
    monkeypatch.setattr(keyed_orders, "keyed_orders", KeyedOrders())
    monkeypatch.setattr(keyed_orders, "SILENCE", 0.3)
    monkeypatch.setattr(keyed_orders, "BEAT", 0.1)
    monkeypatch.setattr(keyed_orders, "LONGEST_POLL", 0.05)
    return topic


@pytest.fixture
async def one():
    worker = KeyedOrders("one")
    yield worker
    await end(worker)


@pytest.fixture
async def other():
    worker = KeyedOrders("other")
    yield worker
    await end(worker)


async def end(worker):
    """What is under way must not go on in the next test."""
    tasks = {*worker._under_way.values(), *worker._confirming}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def confirmed(store, count=1):
    """Until that is noted, which nobody waits for."""
    async with asyncio.timeout(60):
        while sum(r.is_confirmed for r in store.reservations.values()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def killed(worker, key, topic):
    """A worker that is killed while it sends."""
    taking = asyncio.create_task(worker.take(key, WANTED))
    await topic.begun.wait()
    for task in worker._under_way.values():
        task.cancel()
    await asyncio.wait({taking})


async def test_two_workers_that_are_asked_at_once_send_one_order(topic, store, one, other):
    workers = [one, other, KeyedOrders("third")] * 5
    found = await asyncio.gather(*(worker.take("k", WANTED) for worker in workers))

    assert len(topic.sent) == len(set(found)) == 1
    assert topic.looked_up == []


async def test_a_key_is_known_in_every_worker_and_another_body_is_422(topic, store, one, other):
    first = await one.take("k", WANTED)
    await confirmed(store)

    for worker in (one, other):
        assert await worker.take("k", WANTED) == first
        for wanted in OTHERS:
            with pytest.raises(Problem) as caught:
                await worker.take("k", wanted)
            assert caught.value.status == 422
    assert len(topic.sent) == 1


async def test_of_two_bodies_at_once_one_is_sent_and_the_other_422(topic, store, one, other):
    asked = [one.take("k", WANTED), other.take("k", OTHERS[0]), one.take("k", OTHERS[1])]
    found = await asyncio.gather(*asked, return_exceptions=True)

    assert len(topic.sent) == 1
    assert sorted(getattr(each, "status", 202) for each in found) == [202, 422, 422]


@pytest.mark.parametrize("is_written", [False, True])
async def test_who_is_killed_while_it_sends_is_replaced_without_a_second_record(
    topic, store, one, other, is_written
):
    topic.go_on.clear()
    await killed(one, "k", topic)
    topic.go_on.set()
    (reserved,) = store.reservations.values()
    if is_written:
        await topic.send_all("orders", None, [(b"%d" % reserved.order_id, b"{}")], [()])

    found = await asyncio.gather(*(other.take("k", WANTED) for _ in range(3)))

    assert {order.order_id for order in found} == {reserved.order_id}
    assert [key for key, _ in topic.sent] == [b"%d" % reserved.order_id]
    assert len(topic.looked_up) == 1
    await confirmed(store)


async def test_an_order_that_is_stored_was_sent(topic, store, one, other):
    topic.go_on.clear()
    await killed(one, "k", topic)
    (reserved,) = store.reservations.values()
    await store.upsert([order(reserved.order_id)])

    assert (await other.take("k", WANTED)).order_id == reserved.order_id
    assert topic.looked_up == topic.sent == []


async def test_of_several_workers_one_replaces_the_dead_one(topic, store, one):
    topic.go_on.clear()
    await killed(one, "k", topic)
    topic.go_on.set()

    left = [KeyedOrders(f"worker {n}") for n in range(5)]
    found = await asyncio.gather(*(worker.take("k", WANTED) for worker in left))

    assert len(topic.sent) == len(set(found)) == 1


async def test_who_sends_for_long_is_not_replaced(topic, store, one, other):
    topic.go_on.clear()
    asked = [asyncio.create_task(worker.take("k", WANTED)) for worker in (one, other)]
    async with asyncio.timeout(60):
        while sum(r.beat for r in store.reservations.values()) < 7:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (reserved,) = store.reservations.values()
    assert reserved.holder == "one"
    topic.go_on.set()

    assert len(set(await asyncio.gather(*asked))) == len(topic.sent) == 1


async def test_a_machine_that_pauses_makes_nobody_silent(topic, store, one, other, monkeypatch):
    topic.go_on.clear()
    asked = [asyncio.create_task(worker.take("k", WANTED)) for worker in (one, other)]
    await topic.begun.wait()
    paused = 0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + paused, time=time.time)
    monkeypatch.setattr(keyed_orders, "time", clock)
    for _ in range(10):
        paused += 10
        await asyncio.sleep(0.02)

    (reserved,) = store.reservations.values()
    assert reserved.holder == "one"
    topic.go_on.set()
    assert len(set(await asyncio.gather(*asked))) == len(topic.sent) == 1


async def test_a_sender_that_is_told_too_late_that_it_holds_the_key_looks_again(
    topic, store, one, other, monkeypatch
):
    """The store kept its reservation, and answered after others had seen no sign of it."""
    reserve, is_slow = store.reserve, True

    async def slow(wanted):
        found = await reserve(wanted)
        if wanted.holder == "one" and is_slow:
            await asyncio.sleep(1)
        return found

    monkeypatch.setattr(store, "reserve", slow)
    late = asyncio.create_task(one.take("k", WANTED))
    await asyncio.sleep(0.01)
    first = await other.take("k", WANTED)
    is_slow = False

    assert await late == first
    assert len(topic.sent) == 1


@pytest.mark.parametrize("is_written", [False, True])
async def test_what_kafka_did_not_confirm_is_looked_up_before_it_is_sent_again(
    topic, store, one, other, is_written
):
    topic.away, topic.is_written = SendFailedError("broker-7.inside"), is_written
    with pytest.raises(Problem) as caught:
        await one.take("k", WANTED)
    assert caught.value.status == 503
    assert "may have been written" in caught.value.detail
    assert "inside" not in caught.value.detail
    # Perhaps it was written: another order must not go under its key.
    with pytest.raises(Problem) as caught:
        await one.take("k", OTHERS[0])
    assert caught.value.status == 422

    topic.away, topic.lookup_away = None, TransientError("orders can't be read")
    with pytest.raises(Problem) as caught:
        await one.take("k", WANTED)
    assert caught.value.status == 503
    topic.lookup_away = None
    first = await one.take("k", WANTED)
    assert await other.take("k", WANTED) == first
    assert len(topic.sent) == 1


async def test_what_kafka_refuses_is_sent_when_that_is_mended(topic, store, one):
    topic.away = SendRefusedError("topic 'orders': raise inside.bytes")
    with pytest.raises(Problem, match="was not written") as caught:
        await one.take("k", WANTED)
    assert caught.value.status == 503

    topic.away = None
    await one.take("k", WANTED)
    assert len(topic.sent) == 1


async def test_a_client_that_gives_up_does_not_end_what_is_under_way(
    topic, store, one, monkeypatch
):
    topic.go_on.clear()
    with monkeypatch.context() as patch:
        patch.setattr(keyed_orders, "PATIENCE", 0.05)
        with pytest.raises(Problem) as caught:
            await one.take("k", WANTED)
    assert caught.value.status == 503
    topic.go_on.set()

    assert (await one.take("k", WANTED)).order_id == int(topic.sent[0][0])
    assert len(topic.sent) == 1
    await confirmed(store)
    assert one._under_way == {}


async def test_without_the_store_a_key_is_503_and_an_order_without_one_is_taken(
    client, topic, store
):
    await store.close()

    answer = await client.post("/api/orders", json=GOOD, headers={"Idempotency-Key": "k"})
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert "store" in (await answer.json())["detail"]
    assert topic.sent == []
    assert (await ask(client, "/api/orders", "POST", json=GOOD))[0] == 202


async def test_an_order_whose_note_is_refused_is_taken_and_looked_up_later(
    topic, store, one, other, monkeypatch
):
    monkeypatch.setattr(keyed_orders, "BEAT", 60)
    topic.go_on.clear()
    take = asyncio.create_task(one.take("k", WANTED))
    await topic.begun.wait()
    store.fail(StoreUnavailable("disk full"))
    topic.go_on.set()
    first = await take
    await asyncio.gather(*one._confirming)

    assert await other.take("k", WANTED) == first
    assert len(topic.sent) == len(topic.looked_up) == 1


async def test_a_key_may_be_used_anew_when_its_time_is_over(topic, store, one, monkeypatch):
    first = await one.take("k", WANTED)
    await confirmed(store)
    tomorrow = time.time() + 24 * 3600 + 1
    monkeypatch.setattr("time.time", lambda: tomorrow)

    assert await one.take("k", OTHERS[0]) != first
    assert len(topic.sent) == 2


@pytest.mark.parametrize(
    "key", ["", "k" * 256, "a b", "é", "a\tb", '""', '"a', '"a"b', '"a\\b"', '"k";a=1']
)
async def test_a_malformed_key_is_400(client, store, topic, key):
    status, answer = await ask(
        client, "/api/orders", "POST", json=GOOD, headers={"Idempotency-Key": key}
    )

    assert (status, answer["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert topic.sent == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("k1", "k1"),
        ('"k1"', "k1"),
        ('"a b"', "a b"),
        (r'"a\"b\\"', r'a"b\ '.strip()),
        ('a"b', 'a"b'),
        (r"a\\b", r"a\\b"),
        ("!", "!"),
        ("~" * 255, "~" * 255),
        ('"' + "~" * 255 + '"', "~" * 255),
    ],
)
async def test_the_quoted_form_of_a_key_is_the_same_key(client, store, topic, text, key):
    assert meant(text) == key
    status, first = await ask(
        client, "/api/orders", "POST", json=GOOD, headers={"Idempotency-Key": text}
    )
    assert status == 202
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    assert await ask(
        client, "/api/orders", "POST", json=GOOD, headers={"Idempotency-Key": f'"{quoted}"'}
    ) == (202, first)
    assert len(topic.sent) == 1
