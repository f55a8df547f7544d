"""The calls of a store, timed."""

import asyncio

import pytest

from orderapp.engine.observe.metrics import REGISTRY
from orderapp.store import OrderDocument, OrderQuery, StoreRejected, StoreUnavailable
from orderapp.store.measured import MeasuredStore
from tests.store.fake import MemoryStore


@pytest.fixture
async def memory():
    store = MemoryStore()
    await store.open()
    return store


def calls(operation, result):
    labels = {"operation": operation, "result": result}
    return REGISTRY.get_sample_value("orderapp_store_seconds_count", labels) or 0


CALLS = {
    "ping": (),
    "upsert": ([],),
    "story": (7,),
    "latest": (10,),
    "page": (OrderQuery(),),
    "stats": (0,),
    "scan": (OrderDocument, None, 10),
}


@pytest.mark.parametrize("operation", CALLS)
async def test_every_call_is_timed_and_answers_as_the_store_does(memory, operation):
    before, arguments = calls(operation, "ok"), CALLS[operation]

    measured = await getattr(MeasuredStore(memory), operation)(*arguments)

    assert measured == await getattr(memory, operation)(*arguments)
    assert calls(operation, "ok") == before + 1


@pytest.mark.parametrize(
    ("error", "result"),
    [(StoreUnavailable("away"), "unavailable"), (StoreRejected("never"), "rejected")],
)
async def test_an_error_is_counted_and_passed_on(memory, error, result):
    before = calls("upsert", result)
    memory.fail(error)

    with pytest.raises(type(error)):
        await MeasuredStore(memory).upsert([])

    assert calls("upsert", result) == before + 1


async def test_a_caller_that_does_not_wait_is_no_answer(memory, monkeypatch):
    async def hang():
        await asyncio.sleep(60)

    monkeypatch.setattr(memory, "ping", hang)
    before = calls("ping", "cancelled"), calls("ping", "ok")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await MeasuredStore(memory).ping()

    assert (calls("ping", "cancelled"), calls("ping", "ok")) == (before[0] + 1, before[1])


async def test_opening_is_timed_and_closing_is_passed_on(memory):
    before = calls("open", "ok")
    store = MeasuredStore(memory)

    await store.open()
    await store.close()

    assert calls("open", "ok") == before + 1
    with pytest.raises(StoreUnavailable):
        await store.ping()
