"""Looks for one record by its key among those that came after a time."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from orderapp.engine.errors import TransientError
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.partitioner import partition_of

#: Seconds for a lookup; records that are looked through, the newest.
PATIENCE, MOST = 4.0, 100_000
#: Milliseconds that Kafka and the client wait for records; there are some.
FETCH_MS, READ_MS = 5, 50
#: How much earlier (ms) Kafka's clock may have dated a record than its sender's.
CLOCKS_MS = 5_000


async def find_since(
    cluster: Cluster, topic: str, key: bytes, since_ms: int
) -> ConsumerRecord | None:
    """The first record with this key, where Kafka's own partitioner puts it, that was written
    since a Unix time; None also when it lies behind more than `MOST` later ones.

    Every record that Kafka had when this was called is found, also one of a transaction,
    whatever becomes of that. Raises `TransientError` when Kafka does not answer."""
    consumer = cluster.consumer(
        isolation_level="read_uncommitted",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_MS,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            await consumer.start()
            return await _find(consumer, topic, key, since_ms)
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransientError(f"{topic} can't be read: {error!r}") from error
    finally:
        await let_go(consumer.stop())


async def _find(
    consumer: AIOKafkaConsumer, topic: str, key: bytes, since_ms: int
) -> ConsumerRecord | None:
    partitions = await consumer._client._wait_on_metadata(topic)
    tp = TopicPartition(topic, partition_of(key, range(len(partitions))))
    consumer.assign([tp])
    end = (await consumer.end_offsets([tp]))[tp]
    begin = (await consumer.offsets_for_times({tp: max(0, since_ms - CLOCKS_MS)}))[tp]
    if begin is None:
        return None
    consumer.seek(tp, max(begin.offset, end - MOST))
    while await consumer.position(tp) < end:
        chunks = await consumer.getmany(tp, timeout_ms=READ_MS)
        for record in chunks.get(tp, ()):
            if record.key == key:
                return record
    return None
