"""Delivery: retries, dead letters, overlap and order."""

import asyncio

import pytest

from orderapp.engine import delivery
from orderapp.engine.batching import Batch
from orderapp.engine.delivery import deliver, persist, waits
from orderapp.engine.errors import SendFailedError, TransientError
from tests.records import record


class Event:
    """What Faust hands to an agent."""

    def __init__(self, values, keys=None, partition=0):
        records = [record(key=key.encode()) for key in keys or map(str, values)]
        self.value = Batch("orders", partition, list(values), records)
        self.acked = False

    def ack(self):
        self.acked = True


class Stream:
    """A stream of given events, which then stays open."""

    def __init__(self, *events):
        self._events = events
        self.enable_acks = True

    async def __aiter__(self):
        for event in self._events:
            self.current_event = event
            yield event.value


class Bury:
    def __init__(self):
        self.buried = []

    async def __call__(self, dead, error, service):
        self.buried.append((dead.key, str(error), service))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(delivery, "LONGEST_WAIT", 0.004)


async def run(work, *events, overlap=1):
    bury, stream = Bury(), Stream(*events)
    running = asyncio.create_task(deliver("test", stream, work, bury, overlap=overlap))
    await asyncio.wait([running], timeout=0.2)
    for _ in range(200):
        if all(event.acked for event in events):
            break
        await asyncio.sleep(0.01)
    await running
    assert stream.enable_acks is False
    return bury.buried


async def test_a_batch_is_acked_when_its_work_is_done():
    done = []

    async def work(batch):
        assert not first.acked
        done.append(batch.values)

    first = Event([1, 2])
    assert await run(work, first) == []
    assert (done, first.acked) == ([[1, 2]], True)


async def test_an_empty_batch_is_acked_without_work():
    async def work(batch):
        raise AssertionError

    event = Event([])
    assert await run(work, event) == []
    assert event.acked


@pytest.mark.parametrize("error", [TransientError("away"), SendFailedError("no answer")])
async def test_an_error_that_passes_is_tried_again_until_it_has(error):
    tries = []

    async def work(batch):
        tries.append(batch.values)
        if len(tries) < 5:
            raise error

    event = Event([1, 2])
    assert await run(work, event) == []
    assert (tries, event.acked) == ([[1, 2]] * 5, True)


async def test_an_error_that_stays_sends_only_its_own_record_to_the_dead_letters():
    done = []

    async def work(batch):
        if 2 in batch.values:
            raise RuntimeError("no 2 please")
        done.extend(batch.values)

    event = Event([1, 2, 3])
    assert await run(work, event) == [(b"2", "no 2 please", "test")]
    assert (done, event.acked) == ([1, 3], True)


async def test_an_unfinished_batch_is_not_acked_when_the_agent_is_stopped():
    started = asyncio.Event()

    async def work(batch):
        started.set()
        await asyncio.sleep(60)

    for overlap in (1, 4):
        started.clear()
        event = Event([1])
        running = asyncio.create_task(
            deliver("test", Stay(event), work, Bury(), overlap=overlap)
        )
        await started.wait()
        running.cancel()
        await asyncio.wait([running])
        assert not event.acked


class Stay(Stream):
    """A stream that stays open, as Faust's do."""

    async def __aiter__(self):
        async for value in super().__aiter__():
            yield value
        await asyncio.sleep(60)


async def overlapping(work, *events, overlap):
    running = asyncio.create_task(deliver("test", Stay(*events), work, Bury(), overlap=overlap))
    async with asyncio.timeout(10):
        while not all(event.acked for event in events):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])


async def test_batches_overlap_up_to_the_limit():
    at_once, most = 0, 0

    async def work(batch):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1

    await overlapping(work, *(Event([n]) for n in range(12)), overlap=4)

    assert most == 4


async def test_batches_that_share_a_key_have_their_turns_in_order():
    log = []

    async def work(batch):
        value = batch.values[0]
        log.append(("start", value))
        await asyncio.sleep(0.02 if value == "a1" else 0.001)
        log.append(("end", value))

    events = [Event(["a1"], ["a"]), Event(["b1"], ["b"]), Event(["a2"], ["a"])]
    await overlapping(work, *events, overlap=8)

    assert log.index(("end", "a1")) < log.index(("start", "a2"))
    assert log.index(("start", "b1")) < log.index(("end", "a1"))


async def test_two_records_of_one_key_in_a_batch_have_their_turns_in_order():
    turns = []

    async def work(batch):
        turns.append("".join(batch.values))

    await overlapping(work, Event(["x", "y", "z"], ["a", "b", "a"]), overlap=2)

    assert turns == ["xy", "z"]


async def test_persist_says_what_it_waits_for(caplog):
    caplog.set_level("INFO")
    failures = [TransientError("the store is away")]

    async def attempt():
        if failures:
            raise failures.pop()

    await persist("storing", attempt)

    assert "storing: the store is away (try 1, next in" in caplog.text
    assert "storing: done at try 2" in caplog.text


def test_waits_grow_to_a_bound():
    wait = waits()
    seen = [next(wait) for _ in range(50)]

    assert seen[0] < 0.002
    assert all(0 < seconds <= delivery.LONGEST_WAIT * 1.25 for seconds in seen)
    assert min(seen[10:]) >= delivery.LONGEST_WAIT * 0.75
