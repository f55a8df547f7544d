"""A stop has bounds, whatever does not answer."""

import asyncio
from types import SimpleNamespace

import pytest

from orderapp.engine.delivery import stopping
from orderapp.engine.delivery.stopping import LEAST_SECONDS, Stopping
from orderapp.engine.kafka import consumer_thread
from orderapp.engine.kafka.cluster import let_go
from orderapp.engine.kafka.consumer_thread import ConsumerThread, _leave_now


def test_before_a_stop_everything_has_its_own_time():
    assert Stopping().left(30.0) == 30.0


def test_in_a_stop_all_share_one_deadline_and_each_has_the_least(monkeypatch):
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(stopping, "time", clock)
    stop = Stopping()
    stop.close_within(0.5)
    assert (stop.left(30.0), stop.left(0.2)) == (0.5, 0.2)

    clock.now += 0.25
    assert stop.left(30.0) == 0.25

    clock.now += 0.25
    assert stop.left(30.0) == LEAST_SECONDS


def test_without_a_stop_nothing_ends_the_process(monkeypatch):
    monkeypatch.setattr(stopping, "_later", lambda *_: pytest.fail("a timer"))

    Stopping().end(0)


async def test_what_does_not_let_go_in_the_stop_is_waited_for_no_longer(monkeypatch):
    monkeypatch.setattr("orderapp.engine.kafka.cluster.stopping", stop := Stopping())
    stop.close_within(0.1)

    async with asyncio.timeout(25):
        await let_go(asyncio.Event().wait(), 30.0)


class Stuck(ConsumerThread):
    """Its client ends as `how` says."""

    def __init__(self, how):
        self.how, self._consumer = how, None

    async def _close(self):
        await self.how()


async def cancelled():
    # What aiokafka's fetcher does, when a fetch of it waits for another try.
    raise asyncio.CancelledError


async def failed():
    raise RuntimeError("the loop is closed")


async def hangs():
    await asyncio.Event().wait()


@pytest.mark.parametrize("how", [cancelled, failed, hangs])
async def test_the_consumers_thread_ends_however_its_client_does(how, monkeypatch):
    monkeypatch.setattr(consumer_thread, "CLOSING_SECONDS", 0.1)

    async with asyncio.timeout(60):
        await Stuck(how).on_thread_stop()

    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_coro().__qualname__ == "Stuck._close":
            task.cancel()


class Coordinator:
    """aiokafka's, in the middle of a rebalance."""

    def __init__(self, member, instance=None):
        self.coordinator_id, self.member_id, self.group_id = 1, member, "group"
        self._group_instance_id = instance
        self._coordination_task = asyncio.create_task(hangs())
        self.generation_is_reset = False

    def reset_generation(self):
        self.generation_is_reset = True


class Consumer:
    """aiokafka's, and what it sends."""

    def __init__(self, coordinator):
        self._coordinator, self._client, self.sent = coordinator, self, []

    async def send(self, node, request):
        self.sent.append((node, type(request).__name__))


async def test_the_group_is_left_in_the_middle_of_a_rebalance():
    consumer = Consumer(Coordinator("member"))

    await _leave_now(consumer)

    assert consumer.sent == [(1, "LeaveGroupRequest")]
    assert consumer._coordinator.generation_is_reset, "aiokafka does not leave it again"
    assert consumer._coordinator._coordination_task.done()


@pytest.mark.parametrize(("member", "instance"), [("", None), ("member", "instance")])
async def test_who_is_no_member_or_comes_back_leaves_nothing(member, instance):
    consumer = Consumer(Coordinator(member, instance))

    await _leave_now(consumer)

    assert consumer.sent == []
