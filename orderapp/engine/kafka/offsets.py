"""Asks Kafka where consumer groups are, where partitions end, and how old a record is."""

import asyncio
import struct
import time
from collections.abc import Collection, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.structs import OffsetAndMetadata

from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.topic_ids import partitions_of, topic_states
from orderapp.engine.kafka.transactions import OpenTransactions, high_watermarks

#: Seconds without anything new after which a record is not waited for.
READING = 0.5
#: Milliseconds that Kafka waits for a record: the clients get nothing else through meanwhile.
FETCH_MS = 10

#: A partition and an offset in it.
Place = tuple[TopicPartition, int]


@dataclass(frozen=True)
class Bounds:
    """Where partitions begin and end."""

    begins: Mapping[TopicPartition, int]
    #: For us, who read what is committed, and for who reads everything.
    ends: Mapping[TopicPartition, int]
    high: Mapping[TopicPartition, int]
    #: Where a transaction is open: the timestamp (ms) of the oldest one.
    opened: Mapping[TopicPartition, int]


class Member(NamedTuple):
    """A live member of a consumer group; Kafka gives it its id when it joins."""

    id: str
    partitions: frozenset[TopicPartition]


@dataclass(frozen=True)
class Group:
    """A consumer group: its live members, and the next offset of each partition."""

    name: str
    members: int
    committed: Mapping[TopicPartition, int]
    #: The same, with what was committed beside them.
    offsets: Mapping[TopicPartition, OffsetAndMetadata] = field(default_factory=dict)
    #: What its members read.
    topics: frozenset[str] = frozenset()
    #: The members, with what each was given.
    live: tuple[Member, ...] = ()


class Clients:
    """An admin and a consumer without a group; a request may take so many seconds."""

    def __init__(self, cluster: Cluster, seconds: float) -> None:
        limit = {"request_timeout_ms": int(seconds * 1000)}
        self._admin = AIOKafkaAdminClient(**cluster.client_options(), **limit)
        self._consumer = cluster.consumer(
            **limit,
            auto_offset_reset="earliest",
            # One record is wanted of each partition. Kafka sends larger ones too, one by one.
            max_partition_fetch_bytes=16 * 1024,
            fetch_max_wait_ms=FETCH_MS,
        )
        #: By place: the first record's timestamp, or up to where there is none.
        self._stamps: dict[Place, int] = {}
        self._empty: dict[Place, int] = {}
        self._open = OpenTransactions()

    async def start(self) -> None:
        """Log in."""
        await self._admin.start()
        await self._consumer.start()

    async def close(self) -> None:
        """Let go of Kafka."""
        for closing in (self._consumer.stop, self._admin.close):
            await let_go(closing())

    def forget(self) -> None:
        """What is known of the times of records."""
        self._stamps.clear()
        self._empty.clear()

    async def groups(self, names: Collection[str]) -> dict[str, Group]:
        """The groups that may be looked at, with all that they have committed."""
        found = await asyncio.gather(*map(self._group, names))
        return {group.name: group for group in found if group is not None}

    async def _group(self, name: str) -> Group | None:
        try:
            coordinator = await self._admin.find_coordinator(name)
            answers = await self._admin.describe_consumer_groups([name], coordinator)
            offsets = await self._admin.list_consumer_group_offsets(name, coordinator)
        except GroupAuthorizationFailedError:
            return None
        members = [member for answer in answers for g in answer.groups for member in g[5]]
        committed = {tp: at.offset for tp, at in offsets.items() if at.offset >= 0}
        live = tuple(map(_member, members))
        return Group(name, len(members), committed, offsets, _subscribed(members), live)

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """The ids of topics, by name; see `topic_ids`."""
        states = await topic_states(self._admin._client, topics)
        return {name: state.id for name, state in states.items()}

    async def bounds(self, topics: Collection[str]) -> Bounds:
        """Where every partition begins and ends."""
        partitions = partitions_of(await topic_states(self._admin._client, topics))
        begins = await self._consumer.beginning_offsets(partitions)
        highs = await high_watermarks(self._consumer, partitions)
        # Afterwards: what is behind these and was there before belongs to open transactions.
        ends = await self._consumer.end_offsets(partitions)
        held = {tp: (end, highs[tp]) for tp, end in ends.items()}
        await self._open.look(self._consumer, held)
        return Bounds(begins, ends, highs, self._open.began)

    async def sizes(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        """Where every partition begins, and where it ends for who reads everything."""
        partitions = partitions_of(await topic_states(self._admin._client, topics))
        begins = await self._consumer.beginning_offsets(partitions)
        highs = await high_watermarks(self._consumer, partitions)
        return {tp: (begins[tp], highs[tp]) for tp in partitions}

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
        consumer.pause(*places)  # or Kafka would be asked for more and more


def rest_at(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> None:
    """Fetch nothing of a partition, and go on at `offset` when it is resumed."""
    consumer.pause(tp)
    # Also drops what was fetched beyond: aiokafka lets nothing be fetched from the same broker
    # for a while as long as it is not taken.
    consumer.seek(tp, offset)


def _subscribed(members: Iterable[Any]) -> frozenset[str]:
    """The topics that members of a group read, as Kafka describes them."""
    found: set[str] = set()
    for *_, metadata, _assignment in members:
        # A member that is joining, or speaks another protocol, says nothing that can be read.
        with suppress(ValueError, struct.error):
            found.update(ConsumerProtocolMemberMetadata.decode(metadata).subscription)
    return frozenset(found)


def _member(described: Any) -> Member:
    """A member of a group, as Kafka describes it."""
    given: list[TopicPartition] = []
    # None is given to one that is joining, and what other protocols give is no list of ours.
    with suppress(ValueError, struct.error):
        given = ConsumerProtocolMemberAssignment.decode(described[-1]).partitions()
    return Member(described[0], frozenset(given))
