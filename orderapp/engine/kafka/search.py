"""Finds a record by its key among the last ones of a partition.

Who searches often must not read the same records again for every key: the keys that may be
asked for are remembered with their offsets, so that each record is read once. All who ask at
the same time share one turn, in which what has come since the last one is read.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from orderapp.engine.errors import TransientError
from orderapp.engine.kafka.cluster import CLOSING, Cluster, let_go
from orderapp.engine.kafka.transactions import high_watermarks, outside_transactions

#: Records that are looked through, the newest; seconds for one turn.
MOST, PATIENCE = 20_000, 2.0
#: Records that are read at a time: others on the event loop must not wait for more.
AT_ONCE = 500
#: Milliseconds that Kafka and the client wait for records. There are some whenever they are
#: asked for, except where a transaction ends, and nothing else gets through while Kafka waits.
FETCH_MS, READ_MS = 5, 20


Offsets = Mapping[TopicPartition, int]


class SearchFailedError(TransientError):
    """Kafka did not answer; the record may be there or not."""


class Wanted(NamedTuple):
    """What is looked for."""

    tp: TopicPartition
    key: bytes


class Seen:
    """The remembered keys of a partition between two offsets, with the last offset of each."""

    def __init__(self) -> None:
        self.begin = self.end = 0
        #: In the order of the offsets.
        self.places: OrderedDict[bytes, int] = OrderedDict()

    def begin_at(self, start: int, end: int) -> None:
        """Make sure that the keys from `start` on are known, or will be; `end` is Kafka's."""
        if not self.begin <= start <= self.end <= end:
            self.end = start
            self.places.clear()
        self.begin = start
        while self.places and next(iter(self.places.values())) < start:
            self.places.popitem(last=False)


class _Turn:
    """Searches that are made together."""

    def __init__(self) -> None:
        self.wanted: set[Wanted] = set()
        #: Where to begin in each partition.
        self.starts: dict[TopicPartition, int] = {}
        self.task: asyncio.Task[dict[Wanted, ConsumerRecord]]


class Search(Service):
    """Searches with one consumer, which is kept; only keys that `remembers` are ever found."""

    def __init__(
        self, cluster: Callable[[], Cluster | None], remembers: Callable[[bytes], bool]
    ) -> None:
        self._cluster = cluster
        self._remembers = remembers
        self._consumer: AIOKafkaConsumer | None = None
        self._seen: defaultdict[TopicPartition, Seen] = defaultdict(Seen)
        self._running: _Turn | None = None
        self._next: _Turn | None = None
        super().__init__()

    async def find(self, tp: TopicPartition, key: bytes, start: int) -> ConsumerRecord | None:
        """The last record with this key from the offset `start` on, and among the last `MOST`;
        raises `SearchFailedError`.

        Every record that Kafka had when this was called is found, except those of transactions
        that are open. What was sent without one is found although it lies behind them."""
        turn = self._next
        if turn is None:
            turn = self._next = _Turn()
            turn.task = asyncio.create_task(self._begin(turn, self._running))
            # Looked at: whoever asked may have given up meanwhile.
            turn.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        wanted = Wanted(tp, key)
        turn.wanted.add(wanted)
        turn.starts[tp] = min(start, turn.starts.get(tp, start))
        return (await asyncio.shield(turn.task)).get(wanted)

    def forget(self, topic: str) -> None:
        """Whatever was read of a topic: its offsets mean other records now."""
        for tp in [tp for tp in self._seen if tp.topic == topic]:
            del self._seen[tp]

    async def _begin(self, turn: _Turn, before: _Turn | None) -> dict[Wanted, ConsumerRecord]:
        if before is not None:
            await asyncio.wait({before.task})
        self._running, self._next = turn, None
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._search(turn)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._close()
            topics = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in turn.starts)
            raise SearchFailedError(f"{topics}: {error!r}") from error

    async def _search(self, turn: _Turn) -> dict[Wanted, ConsumerRecord]:
        consumer = await self._reader(turn.starts)
        highs = await high_watermarks(consumer, turn.starts)
        ends = await consumer.end_offsets(list(turn.starts))
        for tp, end in ends.items():
            self._seen[tp].begin_at(max(turn.starts[tp], end - MOST), end)
        await self._read(consumer, ends)
        found = await _find_behind(consumer, turn, ends, highs)
        for wanted in turn.wanted - found.keys():
            place = self._seen[wanted.tp].places.get(wanted.key)
            record = None if place is None else await _fetch(consumer, wanted.tp, place)
            # Another key: the topic has just been made anew.
            if record is not None and record.key == wanted.key:
                found[wanted] = record
        return found

    async def _reader(self, tps: Iterable[TopicPartition]) -> AIOKafkaConsumer:
        if self._consumer is None:
            cluster = self._cluster()
            if cluster is None:
                raise SearchFailedError("Kafka is not reachable yet")
            self._consumer = cluster.consumer(
                auto_offset_reset="earliest", fetch_max_wait_ms=FETCH_MS
            )
            await self._consumer.start()
        assigned = self._consumer.assignment()
        if not assigned.issuperset(tps):
            self._consumer.assign([*assigned.union(tps)])
            for tp in assigned.union(tps):
                rest_at(self._consumer, tp, self._seen[tp].end)
        return self._consumer

    async def _read(self, consumer: AIOKafkaConsumer, ends: Offsets) -> None:
        """Remember what has come; nothing is fetched before or after."""
        left = {tp for tp, end in ends.items() if self._seen[tp].end < end}
        for tp in left:
            consumer.seek(tp, self._seen[tp].end)
        consumer.resume(*left)
        while left:
            chunks = await consumer.getmany(*left, timeout_ms=READ_MS, max_records=AT_ONCE)
            for tp, records in chunks.items():
                self._remember(self._seen[tp], records)
            # By the position: before the end there may be none, as where a transaction ends.
            # Without a wait after the last record, or aiokafka would fetch on.
            for tp in tuple(left):
                self._seen[tp].end = await consumer.position(tp)
                if self._seen[tp].end >= ends[tp]:
                    rest_at(consumer, tp, self._seen[tp].end)
                    left.discard(tp)

    def _remember(self, seen: Seen, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            if record.key is not None and self._remembers(record.key):
                seen.places[record.key] = record.offset
                seen.places.move_to_end(record.key)

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await let_go(consumer.stop())

    async def on_stop(self) -> None:
        """Let go of Kafka."""
        tasks = {turn.task for turn in (self._running, self._next) if turn is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING)
        await self._close()


async def _find_behind(
    consumer: AIOKafkaConsumer, turn: _Turn, ends: Offsets, highs: Offsets
) -> dict[Wanted, ConsumerRecord]:
    """Look through what lies behind open transactions, anew each time: few records, as a rule
    none."""
    found = {}
    for tp, end in ends.items():
        begin = max(end, turn.starts[tp], highs[tp] - MOST)
        for record in await outside_transactions(consumer, tp, begin, highs[tp]):
            if record.key is not None and (wanted := Wanted(tp, record.key)) in turn.wanted:
                found[wanted] = record
    return found


async def _fetch(
    consumer: AIOKafkaConsumer, tp: TopicPartition, place: int
) -> ConsumerRecord | None:
    """The record at a place, None if Kafka has deleted it meanwhile."""
    consumer.seek(tp, place)
    consumer.resume(tp)
    chunk: list[ConsumerRecord] = []
    while not chunk:
        chunk = (await consumer.getmany(tp, timeout_ms=READ_MS, max_records=1)).get(tp, [])
    rest_at(consumer, tp, place)
    return chunk[0] if chunk[0].offset == place else None


def rest_at(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> None:
    """Fetch nothing of a partition, and go on at `offset` when it is resumed."""
    consumer.pause(tp)
    # Also drops what was fetched beyond: aiokafka lets nothing be fetched from the same broker
    # for a while as long as it is not taken.
    consumer.seek(tp, offset)
