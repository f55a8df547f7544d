"""Finds a record by its key among the last ones of a partition."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from orderapp.engine.cluster import Cluster, let_go
from orderapp.engine.errors import TransientError

#: Records that are looked through, the newest; seconds for one search and for letting go.
MOST, PATIENCE, CLOSING = 20_000, 2.0, 2.0


class SearchFailedError(TransientError):
    """Kafka did not answer; the record may be there or not."""


class Search(Service):
    """One search at a time, with a consumer that is kept."""

    def __init__(self, cluster: Callable[[], Cluster | None]) -> None:
        self._cluster = cluster
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()
        super().__init__()

    async def find(self, tp: TopicPartition, key: bytes, start: int) -> ConsumerRecord | None:
        """The first record with this key from the offset `start` on, or among the last `MOST`;
        raises `SearchFailedError`."""
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                return await self._find(await self._reader(), tp, key, start)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._close()
            raise SearchFailedError(f"{tp.topic}[{tp.partition}]: {error!r}") from error

    async def _reader(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            cluster = self._cluster()
            if cluster is None:
                raise SearchFailedError("Kafka is not reachable yet")
            self._consumer = AIOKafkaConsumer(
                **cluster.client_options(),
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=100,
            )
            await self._consumer.start()
        return self._consumer

    async def _find(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, key: bytes, start: int
    ) -> ConsumerRecord | None:
        end = (await consumer.end_offsets([tp]))[tp]
        start = max(start, end - MOST)
        if start >= end:
            return None
        consumer.assign([tp])
        consumer.seek(tp, start)
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, ()):
                if record.key == key:
                    return record
        return None

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await let_go(consumer.stop(), CLOSING)

    async def on_stop(self) -> None:
        """Let go of Kafka."""
        await self._close()
