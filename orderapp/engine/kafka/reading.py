"""Reads whole topics, apart from any consumer group: nothing is committed, nobody disturbed."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.rights import forbidden
from orderapp.engine.kafka.transactions import high_watermarks

#: Seconds without any progress after which the cluster counts as away.
PATIENCE = 30.0
#: Records that are handed out at one time, at most; they bound the memory.
MAX_RECORDS = 5_000

#: An offset for each partition of a topic.
Offsets = Mapping[int, int]


class TopicReader:
    """Reads topics of a cluster; use it with `async with`.

    All methods raise `FatalError` for a topic that does not exist or may not be read, and
    `TransientError` when the cluster does not answer. No topic is ever created."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._partitions: dict[str, list[TopicPartition]] = {}

    async def __aenter__(self) -> Self:
        self._consumer = self._cluster.consumer(
            auto_offset_reset="earliest",
            # A dead letter is larger than a record of Kafka's usual limit.
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_bytes=16 * 1024 * 1024,
        )
        try:
            with self._translated():
                async with asyncio.timeout(PATIENCE):
                    await self._consumer.start()
                    # All topics: being asked for one by its name, a broker may create it.
                    self._metadata = await self._consumer._client.fetch_all_metadata()
        except BaseException:  # also when cancelled: nobody else would stop it
            await let_go(self._consumer.stop())
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await let_go(self._consumer.stop())

    def has(self, topic: str) -> bool:
        """Whether the topic was there when the reader was opened."""
        return bool(self._metadata.partitions_for_topic(topic))

    async def begins(self, topic: str) -> Offsets:
        """The first offset of each partition that retention has left."""
        partitions = self._of(topic)
        with self._translated(topic):
            async with asyncio.timeout(PATIENCE):
                found = await self._consumer.beginning_offsets(partitions)
        return {tp.partition: offset for tp, offset in found.items()}

    async def begins_at(self, topic: str, timestamp_ms: int) -> Offsets:
        """The offset of the first record of each partition with this timestamp (ms) or a later
        one. A partition that has none is left out."""
        partitions = self._of(topic)
        with self._translated(topic):
            async with asyncio.timeout(PATIENCE):
                found = await self._consumer.offsets_for_times(
                    dict.fromkeys(partitions, max(0, timestamp_ms))
                )
        return {tp.partition: at.offset for tp, at in found.items() if at is not None}

    async def ends(self, topic: str) -> Offsets:
        """The offset behind the last record of each partition, as far as it is certain: not
        behind the beginning of an open transaction."""
        partitions = self._of(topic)
        with self._translated(topic):
            async with asyncio.timeout(PATIENCE):
                found = await self._consumer.end_offsets(partitions)
        return {tp.partition: offset for tp, offset in found.items()}

    async def held_back(self, topic: str) -> int:
        """How many offsets lie behind the beginnings of open transactions: nobody reads them
        until these end."""
        partitions = self._of(topic)
        with self._translated():
            async with asyncio.timeout(PATIENCE):
                highs = await high_watermarks(self._consumer, partitions)
        ends = await self.ends(topic)
        return sum(max(0, highs[tp] - ends[tp.partition]) for tp in partitions)

    async def read(
        self, topic: str, ends: Offsets | None = None, begins: Offsets | None = None
    ) -> AsyncGenerator[tuple[int, list[ConsumerRecord]], None]:
        """Yield `(partition, records)`, the records of each partition in order.

        From `begins` (default: the first there is) up to and without `ends` (default: the
        ends as they are now). One topic at a time."""
        begins = await self.begins(topic) if begins is None else begins
        ends = await self.ends(topic) if ends is None else ends
        left = {
            TopicPartition(topic, partition): end
            for partition, end in ends.items()
            if begins.get(partition, 0) < end
        }
        if not left:
            return
        self._consumer.assign(list(left))
        for tp in left:
            self._consumer.seek(tp, begins.get(tp.partition, 0))
        progress, reached = asyncio.get_running_loop().time(), 0
        while left:
            for tp, records in (await self._next(topic, progress)).items():
                if wanted := _before(left[tp], records):
                    yield tp.partition, wanted
            # Also without records: what was aborted is passed by.
            before, reached = reached, await self._drop_finished(left)
            if reached != before:
                progress = asyncio.get_running_loop().time()

    async def _next(
        self, topic: str, progress: float
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        with self._translated(topic):
            async with asyncio.timeout(PATIENCE):
                chunks: dict[TopicPartition, list[ConsumerRecord]]
                chunks = await self._consumer.getmany(timeout_ms=500, max_records=MAX_RECORDS)
        if not chunks and asyncio.get_running_loop().time() > progress + PATIENCE:
            raise TransientError(
                f"Kafka at {self._cluster} sent nothing of the topic {topic!r} "
                f"for {PATIENCE:g} s"
            )
        return chunks

    async def _drop_finished(self, left: dict[TopicPartition, int]) -> int:
        """Read on where something is left; the sum of the offsets that were reached."""
        # By the position and not by the last record: there may be none before the end, when
        # it was compacted away or belongs to a transaction.
        with self._translated(*{tp.topic for tp in left}):
            async with asyncio.timeout(PATIENCE):
                reached = {tp: await self._position(tp) for tp in left}
        for tp in [tp for tp, end in left.items() if reached[tp] >= end]:
            del left[tp]
            self._consumer.pause(tp)
        return sum(reached.values())

    async def _position(self, tp: TopicPartition) -> int:
        return int(await self._consumer.position(tp))

    def _of(self, topic: str) -> list[TopicPartition]:
        if not self.has(topic):
            raise FatalError(
                f"the topic {topic!r} does not exist on Kafka at {self._cluster}: "
                "a worker creates it when it starts"
            )
        partitions = sorted(self._metadata.partitions_for_topic(topic))
        return [TopicPartition(topic, partition) for partition in partitions]

    @contextmanager
    def _translated(self, *topics: str) -> Iterator[None]:
        try:
            yield
        except TopicAuthorizationFailedError as error:
            raise forbidden("READ", "topic", *topics) from error
        except (KafkaError, OSError, TimeoutError) as error:
            text = " ".join(str(error).split()) or "it does not answer"
            raise TransientError(f"Kafka at {self._cluster} can't be read: {text}") from error


def _before(end: int, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
    if records[-1].offset < end:
        return records
    return [record for record in records if record.offset < end]
