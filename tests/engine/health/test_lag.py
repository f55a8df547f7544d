"""Which group does a service's work, and what waits for it."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from orderapp.engine.health import lag
from orderapp.engine.health.lag import LagMonitor, LagUnknownError, Reader, choose
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.offsets import Bounds, Group

A0, A1, B0 = TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 0)


@pytest.mark.parametrize(
    ("groups", "chosen"),
    [
        ([], None),
        ([Group("never", 0, {})], None),
        ([Group("other topic", 0, {B0: 5})], None),
        ([Group("has begun", 0, {A0: 0})], "has begun"),
        ([Group("old", 0, {A0: 5})], "old"),
        ([Group("old", 0, {A0: 5}), Group("older", 0, {A0: 3, A1: 1})], "old"),
        ([Group("old", 0, {A0: 5}), Group("new", 1, {})], "new"),
        # Both do the work, and what one has done must not hide that it waits in the other.
        ([Group("live", 2, {A0: 5}), Group("ahead", 1, {A0: 6})], "live"),
        ([Group("ahead", 2, {A0: 5}), Group("begins", 1, {})], "begins"),
        ([Group("live", 1, {A0: 5}), Group("ended", 0, {A0: 3})], "live"),
        ([Group("a", 0, {A0: 1}), Group("far in another topic", 0, {A0: 0, B0: 9})], "a"),
    ],
)
def test_the_group_with_members_or_else_the_most_advanced_is_the_one(groups, chosen):
    found = choose(groups, ["a"])

    assert (found and found.name) == chosen


class Clients:
    """What Kafka would say: by group, and by partition."""

    made = 0
    error = None
    committed: dict = {}  # noqa: RUF012
    topics = frozenset()
    unreadable = ()
    ends = {A0: 10, A1: 0, B0: 4}  # noqa: RUF012
    high = {A0: 15, A1: 0, B0: 4}  # noqa: RUF012

    def __init__(self, cluster, seconds):
        Clients.made += 1
        self.closed = False

    async def start(self):
        if self.error:
            raise self.error

    async def close(self):
        self.closed = True

    def forget(self):
        self.forgotten = True

    async def groups(self, names):
        await asyncio.sleep(0)
        return {name: Group(name, 1, self.committed, {}, self.topics) for name in names}

    async def bounds(self, topics):
        return Bounds(dict.fromkeys(self.ends, 2), self.ends, self.high, {})

    async def timestamps(self, places, ends):
        found = {place: 1000 * place[1] for place in places}
        return found | {place: None for place in places if place in self.unreadable}


@pytest.fixture
def kafka(monkeypatch):
    fresh = type("Fresh", (Clients,), {})
    Clients.made = 0
    monkeypatch.setattr(lag, "Clients", fresh)
    return fresh


@pytest.fixture
def monitor(kafka, monkeypatch):
    """Time stands still, but for what a test says: a pause of the machine makes no look old."""
    monkeypatch.setattr(lag, "time", SimpleNamespace(monotonic=lambda: 100.0, time=time.time))
    monkeypatch.setattr(lag, "PATIENCE", 60.0)
    readers = {"service": Reader(["group"], ["a", "b"])}
    return LagMonitor(lambda: Cluster(("127.0.0.1:1",)), readers)


@pytest.mark.parametrize(
    ("committed", "waiting", "oldest"),
    [
        ({A0: 10, A1: 0, B0: 4}, 0, None),
        ({A0: 10, A1: 0}, 0, None),  # the topic b may be one that it does not read
        ({A0: 8, A1: 0, B0: 3}, 3, 3000),
        ({A1: 0, B0: 4}, 8, 2000),  # never committed: from the first record that there is
        ({A0: 1, A1: 0, B0: 4}, 8, 2000),  # Kafka has deleted what was next
        ({A0: 12, A1: 0, B0: 4}, 0, None),  # committed after the ends were asked for
        ({}, 10, 2000),
    ],
)
async def test_lag_is_what_lies_between_the_committed_offset_and_the_end(
    monitor, kafka, committed, waiting, oldest
):
    kafka.committed = committed
    kafka.ends = {A0: 10, A1: 2, B0: 4}

    position = (await monitor.look()).services["service"]

    assert (position.group, position.lag, position.oldest) == ("group", waiting, oldest)


async def test_all_of_a_topic_that_was_made_anew_waits_until_something_is_committed(
    monitor, kafka
):
    kafka.committed = {A0: 10, A1: 2}
    kafka.ends = {A0: 10, A1: 2, B0: 4}
    assert (await monitor.look()).services["service"].lag == 0, "nobody reads b yet"

    kafka.topics = frozenset({"a", "b"})
    monitor.forget()
    assert monitor._clients.forgotten
    monitor._looked -= 2 * lag.FRESH
    assert (await monitor.look()).services["service"].lag == 2, "2 and 3: it begins at 2"


async def test_where_only_the_end_of_a_transaction_is_left_nothing_waits(monitor, kafka):
    kafka.committed, kafka.ends = {A0: 9, A1: 0, B0: 3}, {A0: 10, A1: 2, B0: 4}
    kafka.unreadable = {(A0, 9)}

    position = (await monitor.look()).services["service"]

    assert (position.lag, position.oldest) == (1, 3000)
    assert position.committed == {A0: 10, A1: 0, B0: 3}


async def test_many_who_ask_share_one_look(monitor, kafka, monkeypatch):
    first, *others = await asyncio.gather(*(monitor.look() for _ in range(50)))
    assert all(other is first for other in others)
    assert await monitor.look() is first

    monkeypatch.setattr(monitor, "_looked", monitor._looked - 1.5 * lag.FRESH)
    for _ in range(3):
        assert await monitor.look() is first, "the next one is made while nobody waits"
    await monitor._looking
    assert await monitor.look() is not first
    assert monitor.looks[0] is first
    assert kafka.made == 1


async def test_an_old_look_is_given_to_nobody(monitor, monkeypatch):
    first = await monitor.look()
    monkeypatch.setattr(monitor, "_looked", monitor._looked - 2 * lag.FRESH)

    assert await monitor.look() is not first


async def test_without_kafka_it_says_so_and_tries_anew_later(monitor, kafka, monkeypatch):
    kafka.error = KafkaConnectionError("away")
    for _ in range(20):
        with pytest.raises(LagUnknownError):
            await monitor.look()
    assert Clients.made == 1, "an outage costs one attempt in a while"

    kafka.error = None
    monkeypatch.setattr(lag, "FRESH", 0.0)
    assert (await monitor.look()).services["service"]


async def test_a_kafka_that_hangs_is_given_up(monitor, kafka, monkeypatch):
    async def hang(self):
        await asyncio.sleep(60)

    monkeypatch.setattr(kafka, "start", hang)
    monkeypatch.setattr(lag, "PATIENCE", 0.05)

    with pytest.raises(LagUnknownError):
        await monitor.look()


async def test_before_the_cluster_is_known_nothing_is_asked(kafka):
    with pytest.raises(LagUnknownError, match="not reachable"):
        await LagMonitor(lambda: None, {}).look()
    assert Clients.made == 0
