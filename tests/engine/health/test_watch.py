"""Alive is who makes progress; what is outside the worker excuses it."""

import asyncio

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from orderapp.engine.app import BatchApp
from orderapp.engine.health import watch
from orderapp.engine.health.watch import Sight, Stalls
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up
from tests.records import record

TP0, TP1 = TP("readings", 0), TP("readings", 1)


def stalls(*sights, limit=10, step=4):
    """What has stalled after looks at 0, `step`, 2 * `step` … seconds."""
    seen = Stalls()
    for number, sight in enumerate(sights):
        seen.look(number * step, {TP0: sight})
    return seen.longer_than(limit, (len(sights) - 1) * step)


WAITING = Sight(committed=5, waiting=True)


@pytest.mark.parametrize(
    "sights",
    [
        [Sight(committed=None, waiting=False)] * 9,
        [Sight(committed=5, waiting=False)] * 9,
        [Sight(committed=n, waiting=True) for n in range(9)],
        [Sight(committed=5, waiting=True, excused=True)] * 9,
        [WAITING, WAITING],
        [WAITING, WAITING, Sight(5, waiting=False), WAITING, WAITING],
        [WAITING, WAITING, Sight(6, waiting=True), Sight(6, waiting=True)],
        [WAITING, WAITING, Sight(5, waiting=True, excused=True), WAITING, WAITING],
    ],
)
def test_a_partition_without_work_or_with_progress_or_an_excuse_has_not_stalled(sights):
    assert stalls(*sights) == []


@pytest.mark.parametrize(
    "sights",
    [
        [WAITING] * 4,
        [Sight(committed=None, waiting=True)] * 4,
        [*[Sight(n, waiting=True) for n in range(5)], *[Sight(4, waiting=True)] * 3],
    ],
)
def test_a_partition_whose_work_waits_without_a_commit_has_stalled(sights):
    assert stalls(*sights) == [TP0]


def test_one_partition_stalls_beside_another_that_does_not():
    seen = Stalls()
    for now in range(0, 20, 4):
        seen.look(now, {TP0: WAITING, TP1: Sight(committed=now, waiting=True)})

    assert seen.longer_than(10, 16) == [TP0]


def test_a_partition_that_comes_back_begins_anew():
    seen = Stalls()
    seen.look(0, {TP0: WAITING})
    seen.look(4, {})
    seen.look(8, {TP0: WAITING})

    assert seen.longer_than(10, 16) == []


def test_the_time_in_which_kafka_did_not_answer_does_not_count():
    seen = Stalls()
    seen.look(0, {TP0: WAITING})
    seen.excuse(9)

    assert seen.longer_than(10, 18) == []
    assert seen.longer_than(10, 19) == [TP0]


@given(st.lists(st.builds(Sight, st.integers(0, 3), st.booleans(), st.booleans()), min_size=1))
def test_nothing_stalls_for_longer_than_it_was_watched(sights):
    assert stalls(*sights, limit=len(sights) * 4 + 1) == []


# -- the watch itself, on a real consumer without a broker --------------------------------


class Thread:
    """Stands for the consumer's thread: answers what the test says."""

    def __init__(self):
        self.seen = {TP0: (0, 0)}
        self.runs = True

    async def look(self, tps):
        if isinstance(self.seen, Exception):
            raise self.seen
        if self.seen is None:
            await asyncio.Event().wait()
        return self.seen

    def call_soon(self, call):
        if self.runs:
            call()


class Clock:
    """The watch's `time`, which goes on only as the test says: a machine that pauses the test
    for a moment is no stall."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
async def watched(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    app = BatchApp("test", cluster=lambda: Cluster(("127.0.0.1:1",)), stall_seconds=0.2)
    app.finalize()
    app.topics._acking_topics.add("readings")
    consumer, thread = app.consumer, Thread()
    monkeypatch.setattr(type(consumer), "started", property(lambda _: True))
    monkeypatch.setattr(consumer, "assignment", lambda: {TP0})
    monkeypatch.setattr(consumer.outlook, "look", thread.look)
    monkeypatch.setattr(consumer, "call_soon", thread.call_soon)
    monkeypatch.setattr(watch, "PATIENCE", 0.05)
    app.watch._started.set()
    app.watch.thread, app.watch.clock = thread, clock
    yield app.watch
    if app.watch._asking is not None:
        app.watch._asking.cancel()


async def look_for(watched, seconds):
    """What has stalled after looks every 0.02 s for so long."""
    for _ in range(round(seconds / 0.02)):
        watched._ping_thread()
        await watched._look()
        watched.clock.now += 0.02
    return watched.stalled


async def test_a_worker_without_work_is_well(watched):
    assert await look_for(watched, 0.3) is None


async def test_records_that_nobody_reads_are_a_stall_that_names_them(watched):
    watched.thread.seen = {TP0: (3, 9)}

    assert await look_for(watched, 0.1) is None
    stalled = await look_for(watched, 0.2)

    assert stalled == "readings[0]: work waits, nothing committed for 0.2 s"


async def test_a_stall_and_its_end_are_told_once_each_the_stall_with_all_stacks(
    watched, caplog
):
    caplog.set_level("INFO", "orderapp.engine.health.watch")
    watched.thread.seen = {TP0: (3, 9)}
    for _ in range(20):
        await look_for(watched, 0.02)
        watched._tell()
    watched.thread.seen = {TP0: (9, 9)}
    await look_for(watched, 0.02)
    watched._tell()

    stall, end = caplog.records
    stacks = stall.details.splitlines()
    assert (stall.levelname, stall.getMessage()) == (
        "ERROR",
        "stalled, /healthz says so: readings[0]: work waits, nothing committed for 0.2 s",
    )
    assert "thread MainThread:" in stacks
    assert "task of the main loop:" in stacks
    assert (end.levelname, end.message) == ("INFO", "no longer stalled")


async def test_a_delivery_that_is_never_done_is_a_stall(watched):
    watched.app.consumer._to_message(TP0, [record(topic="readings", offset=0)])
    watched.thread.seen = {TP0: (1, 1)}

    assert await look_for(watched, 0.3) is not None


async def test_a_partition_that_is_held_up_from_outside_is_no_stall(watched):
    watched.thread.seen = {TP0: (3, 9)}

    with held_up.waiting(("readings", 0)):
        assert await look_for(watched, 0.3) is None
    assert await look_for(watched, 0.3) is not None


async def test_full_buffers_are_excused_while_anything_is_held_up(watched, monkeypatch):
    watched.thread.seen = {TP0: (3, 9)}
    monkeypatch.setattr(type(watched.app.consumer.held), "is_full", property(lambda _: True))

    with held_up.waiting(("others", 0)):
        assert await look_for(watched, 0.3) is None
    assert await look_for(watched, 0.3) is not None


@pytest.mark.parametrize("rebalancing", [True, False])
async def test_a_worker_that_is_blocked_has_not_stalled(watched, rebalancing):
    watched.thread.seen = {TP0: (3, 9)}
    watched.app.rebalancing = rebalancing

    blocked.block("a right", "it is missing")
    try:
        assert await look_for(watched, 0.3) is None
    finally:
        blocked.free("a right")
    assert await look_for(watched, 0.3) is not None


async def test_a_refusal_is_an_answer(watched):
    watched.thread.seen = TopicAuthorizationFailedError("readings")

    await watched._look()

    assert watched.kafka_answers


@pytest.mark.parametrize("answer", [ConnectionError("away"), None])
async def test_a_kafka_that_does_not_answer_is_no_stall(watched, answer):
    watched.thread.seen = {TP0: (3, 9)}
    await watched._look()
    watched.thread.seen = answer

    assert await look_for(watched, 0.4) is None
    assert not watched.kafka_answers


async def test_a_worker_that_still_waits_for_its_start_is_well(watched):
    watched.thread.seen = {TP0: (3, 9)}
    watched._started.clear()

    assert await look_for(watched, 0.3) is None


async def test_a_thread_that_does_not_run_is_a_stall(watched):
    watched._ping_thread()
    watched.thread.runs = False

    assert "thread has not run" in (await look_for(watched, 0.4) or "")


@pytest.mark.parametrize("seen", [{TP0: (3, 9)}, {TP0: (9, 9)}])
@pytest.mark.parametrize("rebalancing", [True, False])
async def test_a_process_that_was_paused_has_not_stalled(watched, seen, rebalancing):
    watched.thread.seen = seen
    watched.app.rebalancing = rebalancing
    await look_for(watched, 0.04)

    watched.clock.now += 8

    assert watched.stalled is None
    assert await look_for(watched, 0.04) is None


async def test_a_start_that_took_long_is_no_stall(watched):
    watched.clock.now += 8

    assert watched.stalled is None


async def test_a_rebalance_that_does_not_end_is_a_stall(watched):
    watched.app.rebalancing = True

    assert await look_for(watched, 0.1) is None
    assert "a rebalance has not ended" in (await look_for(watched, 0.2) or "")

    watched.app.rebalancing = False
    assert await look_for(watched, 0.1) is None


async def test_one_rebalance_after_the_other_is_no_stall(watched):
    watched.app.rebalancing = True

    for _ in range(15):
        watched.app.rebalancing_count += 1
        assert await look_for(watched, 0.02) is None


@pytest.mark.parametrize("has_partitions", [True, False])
async def test_a_worker_is_well_again_after_its_rebalance(watched, monkeypatch, has_partitions):
    tps = {TP0} if has_partitions else set()
    monkeypatch.setattr(watched.app.consumer, "assignment", lambda: tps)
    watched.app.rebalancing = True
    assert await look_for(watched, 0.3) is not None

    watched.app.rebalancing = False
    assert await look_for(watched, 0.3) is None


async def test_a_rebalance_for_which_kafka_does_not_answer_is_no_stall(watched, monkeypatch):
    class Away:
        async def force_metadata_update(self):
            return False

    watched.app.rebalancing = True
    await watched._look()
    monkeypatch.setattr(watched.app, "kafka_client", Away)

    assert await look_for(watched, 0.3) is None
