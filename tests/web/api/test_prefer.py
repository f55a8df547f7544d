"""`Prefer: wait=N`: an order is answered for as soon as it is stored."""

import asyncio
import time

import pytest

from orderapp.app import app
from orderapp.store import StoreUnavailable
from orderapp.web.api import arrivals, orders
from tests.web.examples import look, order


@pytest.fixture
def asked(monkeypatch, store, kafka):
    """What the store was asked at each look, with a waiting room of the test's own."""
    kafka.look = look(fraud=0)
    asked, waiting = [], arrivals.Arrivals(store.stored)

    async def stored(order_ids):
        asked.append(order_ids)
        return await store.stored(order_ids)

    waiting._stored = stored
    monkeypatch.setattr("orderapp.web.api.orders.arrivals", waiting)
    return asked


async def until(fact):
    """Nobody tells it."""
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def get(client, order_id, *prefer):
    answer = await client.get(
        f"/api/orders/{order_id}", headers=[("Prefer", each) for each in prefer]
    )
    return answer.status, answer.headers.get("Preference-Applied"), await answer.json()


async def test_an_order_is_answered_for_as_soon_as_it_is_stored(client, store, asked):
    began = time.monotonic()
    waiting = [asyncio.create_task(get(client, n, "wait=10")) for n in [*range(20), 0]]
    await until(lambda: any(len(ids) == 20 for ids in asked))
    assert not any(task.done() for task in waiting)
    await store.upsert([order(n) for n in range(20)])

    for n, task in zip([*range(20), 0], waiting, strict=True):
        status, applied, answer = await task
        assert (status, applied, answer["order"]["order_id"]) == (200, "wait=10", n)
    # One look for all of them, at each tick, and none for nobody.
    looks = len(asked)
    assert looks <= (time.monotonic() - began) / arrivals.TICK + 1
    await asyncio.sleep(4 * arrivals.TICK)
    assert len(asked) == looks


async def test_an_order_that_does_not_come_is_404_when_the_time_is_over(client, store, asked):
    began = time.monotonic()
    status, applied, _ = await get(client, 7, "wait=1")

    assert (status, applied) == (404, "wait=1")
    assert time.monotonic() - began >= 1
    assert len(asked) <= 1 / arrivals.TICK + 2


async def test_an_order_that_is_there_is_not_waited_for(client, store, asked):
    await store.upsert([order(7)])

    assert (await get(client, 7, "wait=10"))[:2] == (200, "wait=10")
    assert asked == []


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        (["wait=0"], "wait=0"),
        (["wait=11"], "wait=10"),
        (["WAIT = 3"], "wait=3"),
        (['wait="3"'], "wait=3"),
        (["respond-async, wait=3; foo=bar"], "wait=3"),
        (['foo="a, wait=9", wait=3'], "wait=3"),
        (["respond-async", "wait=3"], "wait=3"),
        (["wait=3, wait=4"], "wait=3"),
        (["wait"], None),
        (["wait="], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=soon"], None),
        (["wait=9999999999"], None),
        (["waiting=3"], None),
        ([""], None),
        ([], None),
    ],
)
async def test_a_preference_is_applied_and_said_or_ignored(
    client, store, asked, prefer, applied
):
    await store.upsert([order(7)])

    assert (await get(client, 7, *prefer))[:2] == (200, applied)


async def test_what_is_no_preference_for_a_wait_is_not_waited_for(client, store, asked):
    assert (await get(client, 7, "wait=soon"))[:2] == (404, None)
    assert asked == []


async def test_a_store_that_goes_away_meanwhile_is_503_in_the_end(client, store, asked):
    waiting = asyncio.create_task(get(client, 7, "wait=1"))
    await asyncio.sleep(0.2)
    await store.close()

    assert (await waiting)[0] == 503
    assert len(asked) < 10, "it is not pressed while it is away"


async def test_a_store_that_comes_back_is_asked_again(client, store, asked, monkeypatch):
    monkeypatch.setattr(arrivals, "AFTER_FAILURE", 0.1)
    waiting = asyncio.create_task(get(client, 7, "wait=10"))
    await until(lambda: asked)
    store.fail(StoreUnavailable("locked"))
    await asyncio.sleep(0.2)
    await store.upsert([order(7)])

    assert (await waiting)[0] == 200


async def test_a_worker_that_stops_waits_no_longer(client, store, asked, monkeypatch):
    waiting = asyncio.create_task(get(client, 7, "wait=10"))
    await until(lambda: asked)
    looks = len(asked)
    monkeypatch.setattr(type(app), "should_stop", property(lambda _: True))

    assert (await waiting)[0] == 404
    assert len(asked) <= looks + 2


async def test_when_too_many_wait_an_order_is_answered_for_at_once(
    client, store, asked, monkeypatch
):
    monkeypatch.setattr(arrivals, "MOST", 2)
    waiting = [asyncio.create_task(get(client, n, "wait=10")) for n in range(2)]
    await until(lambda: not orders.arrivals.has_room())

    assert (await get(client, 7, "wait=9"))[:2] == (404, None)
    assert not any(7 in order_ids for order_ids in asked)
    await store.upsert([order(n) for n in range(2)])
    await asyncio.gather(*waiting)
