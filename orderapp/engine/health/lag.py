"""How far the services are behind, asked of Kafka itself: also of services in other workers."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from mode import Service

from orderapp.engine.kafka.cluster import CLOSING, Cluster
from orderapp.engine.kafka.offsets import Clients, Group, Member, Place

logger = logging.getLogger(__name__)

#: Seconds for which an answer is good, and for a whole look.
FRESH, PATIENCE = 1.5, 3.0
#: Looks that are remembered, to tell what was read since.
REMEMBERED = 40


class LagUnknownError(Exception):
    """Kafka can't be asked now."""


@dataclass(frozen=True)
class Position:
    """Where the group of a service is. `committed` holds the next offset to read: all before
    it is done."""

    group: str
    committed: Mapping[TopicPartition, int]
    #: Records that wait.
    lag: int
    #: Unix time in ms of the record that waits longest, None when none waits.
    oldest: int | None
    #: The records that wait, by partition, where any do.
    waiting: Mapping[TopicPartition, int] = field(default_factory=dict)
    #: The live members of its group.
    members: Collection[Member] = ()


@dataclass(frozen=True)
class Look:
    """What Kafka said at one moment; a service without a group is None."""

    services: Mapping[str, Position | None]
    ends: Mapping[TopicPartition, int]
    #: Behind all that was written by then, also behind open transactions.
    high: Mapping[TopicPartition, int]
    #: Where a transaction is open: the timestamp (Unix time in ms) of the oldest one.
    opened: Mapping[TopicPartition, int] = field(default_factory=dict)
    #: Unix time in s.
    at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Reader:
    """A service: the groups that it may run in, and the topics that it reads."""

    groups: Collection[str]
    topics: Collection[str]


class LagMonitor(Service):
    """Looks when it is asked, at most once in `FRESH` seconds, for all who ask at that time."""

    def __init__(
        self,
        cluster: Callable[[], Cluster | None],
        readers: Mapping[str, Reader],
    ) -> None:
        self._cluster = cluster
        self._readers = readers
        self._topics = sorted({topic for reader in readers.values() for topic in reader.topics})
        self._clients: Clients | None = None
        self._looking: asyncio.Task[Look] | None = None
        self._looked = -FRESH
        #: The last look, None when it failed.
        self._known: Look | None = None
        #: The last looks, the newest at the end.
        self.looks: deque[Look] = deque(maxlen=REMEMBERED)
        super().__init__()

    async def look(self) -> Look:
        """How far everyone is, twice `FRESH` seconds ago at most; raises `LagUnknownError`."""
        looking, age = self._looking, time.monotonic() - self._looked
        if looking is None or (looking.done() and age >= FRESH):
            looking = self._looking = asyncio.create_task(self._look())
            # Looked at, so that asyncio does not complain when nobody has waited for it.
            looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        if self._known and age < 2 * FRESH:
            return self._known  # nobody has to wait as long as somebody asks all the time
        # Shielded: others wait for the same look, and the next one profits from it.
        return await asyncio.shield(looking)

    async def _look(self) -> Look:
        cluster = self._cluster()
        try:
            if cluster is None:
                raise LagUnknownError("Kafka is not reachable yet")
            async with asyncio.timeout(PATIENCE):
                if self._clients is None:
                    self._clients = Clients(cluster, PATIENCE)
                    await self._clients.start()
                look = await self._ask(self._clients)
        except (KafkaError, OSError, TimeoutError) as error:
            logger.debug("the lag is not known: %r", error)
            self._known = None
            await self._close()
            raise LagUnknownError(f"Kafka can't be asked: {type(error).__name__}") from error
        finally:
            self._looked = time.monotonic()
        self._known = look
        self.looks.append(look)
        return look

    async def _ask(self, clients: Clients) -> Look:
        names = sorted({name for reader in self._readers.values() for name in reader.groups})
        groups = await clients.groups(names)
        # After the groups: what was committed meanwhile must not be past an end.
        bounds = await clients.bounds(self._topics)
        begins, ends = bounds.begins, bounds.ends
        chosen = {
            service: choose([groups[n] for n in reader.groups if n in groups], reader.topics)
            for service, reader in self._readers.items()
        }
        waiting = {
            service: _waiting(group, self._readers[service].topics, begins, ends)
            for service, group in chosen.items()
            if group is not None
        }
        firsts = {place for lagging in waiting.values() for place in lagging.items()}
        stamps = await clients.timestamps(firsts, ends)
        return Look(
            {
                service: _position(group, waiting[service], ends, stamps) if group else None
                for service, group in chosen.items()
            },
            ends,
            bounds.high,
            bounds.opened,
        )

    async def sizes(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        """Where the partitions of topics begin and end, by the clients of the last look; those
        that there are not, or may not be seen, are left out. Raises `LagUnknownError`."""
        if self._clients is None:
            raise LagUnknownError("Kafka was not asked yet")
        try:
            return await self._clients.sizes(topics)
        except (KafkaError, ConsumerStoppedError, OSError, TimeoutError) as error:
            raise LagUnknownError(f"Kafka can't be asked: {type(error).__name__}") from error

    def forget(self) -> None:
        """Whatever is remembered: a topic was made anew, and its offsets mean other records."""
        self._known = None
        self.looks.clear()
        if self._clients is not None:
            self._clients.forget()

    async def _close(self) -> None:
        clients, self._clients = self._clients, None
        if clients is not None:
            await clients.close()

    async def on_stop(self) -> None:
        """Let go of the clients."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking], timeout=CLOSING)
        await self._close()


def choose(groups: Collection[Group], topics: Collection[str]) -> Group | None:
    """The group that does a service's work: one with live members, else the most advanced. Of
    several with live members the one that is furthest behind: work waits there."""

    def done(group: Group) -> list[int]:
        return [at for tp, at in group.committed.items() if tp.topic in topics]

    def advance(group: Group) -> int:
        return sum(done(group))

    # Where a group begins is committed too, though it is 0.
    known = [group for group in groups if group.members or done(group)]
    live = [group for group in known if group.members]
    return min(live, key=advance) if live else max(known, key=advance, default=None)


def _waiting(
    group: Group,
    topics: Collection[str],
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """The next offset of each partition in which something waits."""
    # A topic that the group neither reads nor has committed may be one that its service does
    # not read yet. Of one that was made anew nothing is committed any more.
    known = group.topics | {tp.topic for tp in group.committed}
    read = [tp for tp in ends if tp.topic in topics and (tp.topic in known or not known)]
    places = {tp: max(group.committed.get(tp, 0), begins[tp]) for tp in read}
    return {tp: at for tp, at in places.items() if at < ends[tp]}


def _position(
    group: Group,
    waiting: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    stamps: Mapping[Place, int | None],
) -> Position:
    # Nobody commits what is not read: where only ends of transactions and what was aborted
    # are left, all is done.
    passed = {tp: ends[tp] for tp, at in waiting.items() if stamps.get((tp, at), 0) is None}
    found = [at for place in waiting.items() if (at := stamps.get(place)) is not None]
    lags = {tp: ends[tp] - at for tp, at in waiting.items() if tp not in passed}
    committed, oldest = {**group.committed, **passed}, min(found, default=None)
    return Position(group.name, committed, sum(lags.values()), oldest, lags, group.live)
