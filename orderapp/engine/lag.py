"""How far the services are behind, asked of Kafka itself: also of services in other workers."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from mode import Service

from orderapp.engine.cluster import Cluster, let_go
from orderapp.engine.search import rest_at

logger = logging.getLogger(__name__)

#: Seconds for which an answer is good, for a whole look, and for letting go of the clients.
FRESH, PATIENCE, CLOSING = 1.5, 3.0, 2.0
#: Seconds without anything new after which a record is not waited for, and the milliseconds
#: that Kafka waits for one: the clients get nothing else through meanwhile.
READING, FETCH_MS = 0.5, 10
#: Looks that are remembered, to tell what was read since.
REMEMBERED = 40


#: A partition and an offset in it.
Place = tuple[TopicPartition, int]


class LagUnknownError(Exception):
    """Kafka can't be asked now."""


@dataclass(frozen=True)
class Position:
    """Where the group of a service is. `committed` holds the next offset to read."""

    group: str
    committed: Mapping[TopicPartition, int]
    #: Records that wait.
    lag: int
    #: Unix time in ms of the record that waits longest, None when none waits.
    oldest: int | None


@dataclass(frozen=True)
class Look:
    """What Kafka said at one moment; a service without a group is None."""

    services: Mapping[str, Position | None]
    ends: Mapping[TopicPartition, int]
    #: Unix time in s.
    at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Reader:
    """A service: the groups that it may run in, and the topics that it reads."""

    groups: Collection[str]
    topics: Collection[str]


@dataclass(frozen=True)
class _Group:
    name: str
    members: int
    committed: Mapping[TopicPartition, int]


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
        self._clients: _Clients | None = None
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
                    self._clients = _Clients(cluster)
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

    async def _ask(self, clients: "_Clients") -> Look:
        names = sorted({name for reader in self._readers.values() for name in reader.groups})
        groups = await clients.groups(names)
        # After the groups: what was committed meanwhile must not be past an end.
        begins, ends = await clients.bounds(self._topics)
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
        )

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


def choose(groups: Collection[_Group], topics: Collection[str]) -> _Group | None:
    """The group that does a service's work: one with live members, else the most advanced."""

    def rank(group: _Group) -> tuple[bool, int]:
        done = sum(at for tp, at in group.committed.items() if tp.topic in topics)
        return group.members > 0, done

    known = [group for group in groups if group.members or rank(group)[1]]
    return max(known, key=rank, default=None)


def _waiting(
    group: _Group,
    topics: Collection[str],
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """The next offset of each partition in which something waits."""
    # A topic that the group never committed may be one that its service does not read yet.
    known = {tp.topic for tp in group.committed}
    read = [tp for tp in ends if tp.topic in topics and (tp.topic in known or not known)]
    places = {tp: max(group.committed.get(tp, 0), begins[tp]) for tp in read}
    return {tp: at for tp, at in places.items() if at < ends[tp]}


def _position(
    group: _Group,
    waiting: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    stamps: Mapping[Place, int | None],
) -> Position:
    waiting = dict(place for place in waiting.items() if stamps.get(place, 0) is not None)
    found = [at for place in waiting.items() if (at := stamps.get(place)) is not None]
    lag = sum(ends[tp] - at for tp, at in waiting.items())
    return Position(group.name, group.committed, lag, min(found, default=None))


class _Clients:
    """An admin and a consumer without a group."""

    def __init__(self, cluster: Cluster) -> None:
        options = cluster.client_options() | {"request_timeout_ms": int(PATIENCE * 1000)}
        self._admin = AIOKafkaAdminClient(**options)
        self._consumer = AIOKafkaConsumer(
            **options,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            # One record is wanted of each partition. Kafka sends larger ones too, one by one.
            max_partition_fetch_bytes=16 * 1024,
            fetch_max_wait_ms=FETCH_MS,
        )
        #: By place: the first record's timestamp, or up to where there is none.
        self._stamps: dict[Place, int] = {}
        self._empty: dict[Place, int] = {}
        self._partitions: list[TopicPartition] = []

    async def start(self) -> None:
        await self._admin.start()
        await self._consumer.start()

    async def close(self) -> None:
        for closing in (self._consumer.stop, self._admin.close):
            await let_go(closing(), CLOSING)

    async def groups(self, names: Collection[str]) -> dict[str, _Group]:
        """The groups that may be looked at, with all that they have committed."""
        found = await asyncio.gather(*map(self._group, names))
        return {group.name: group for group in found if group is not None}

    async def _group(self, name: str) -> _Group | None:
        try:
            coordinator = await self._admin.find_coordinator(name)
            answers = await self._admin.describe_consumer_groups([name], coordinator)
            offsets = await self._admin.list_consumer_group_offsets(name, coordinator)
        except GroupAuthorizationFailedError:
            return None
        members = sum(len(g[5]) for answer in answers for g in answer.groups)
        committed = {tp: at.offset for tp, at in offsets.items() if at.offset >= 0}
        return _Group(name, members, committed)

    async def bounds(
        self, topics: Collection[str]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """The first and the next offset of every partition."""
        if not self._partitions:
            described = await self._admin.describe_topics(list(topics))
            self._partitions = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in described
                for partition in topic["partitions"]
            ]
        begins = await self._consumer.beginning_offsets(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        return begins, ends

    async def timestamps(
        self, places: Set[Place], ends: Mapping[TopicPartition, int]
    ) -> Mapping[Place, int | None]:
        """The timestamp (ms) of the first record at or after each place. None where no more
        than the ends of transactions is left; what can't be read now is left out."""
        self._stamps = {place: t for place, t in self._stamps.items() if place in places}
        self._empty = {place: end for place, end in self._empty.items() if place in places}
        left = {place for place in places if self._is_open(place, ends)}
        while left:
            turn = dict(left)  # one place of each partition
            await self._read(turn, ends)
            left -= turn.items()
        nothing = dict.fromkeys(p for p, end in self._empty.items() if end >= ends[p[0]])
        return {**nothing, **self._stamps}

    def _is_open(self, place: Place, ends: Mapping[TopicPartition, int]) -> bool:
        return place not in self._stamps and self._empty.get(place, 0) < ends[place[0]]

    async def _read(
        self, places: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> None:
        consumer = self._consumer
        consumer.assign(list(places))
        for tp, at in places.items():
            consumer.seek(tp, self._empty.get((tp, at), at))
        left, deadline = set(places.items()), time.monotonic() + READING
        while left and time.monotonic() < deadline:
            tps = [tp for tp, _ in left]
            found = await consumer.getmany(*tps, timeout_ms=2 * FETCH_MS, max_records=1)
            for tp, (record, *_) in found.items():
                self._stamps[tp, places[tp]] = record.timestamp
                rest_at(consumer, tp, record.offset)
                deadline = time.monotonic() + READING
            for tp, at in left - self._stamps.keys():
                self._empty[tp, at] = await consumer.position(tp)
            left = {place for place in left if self._is_open(place, ends)}
