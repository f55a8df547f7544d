"""The broker of one measurement, and what the benchmark itself asks of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from orderapp.engine.embedded import EmbeddedBroker
from orderapp.engine.embedded.locks import FileLock
from tests.benchmarks.orders import PARTITIONS, Message

TOPICS = ("orders", "fraud-alerts", "payments")
BATCH_BYTES = 512 * 1024
END_SECONDS = 30


class Kafka:
    """Admin, producer and consumer of the benchmark."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.admin = AIOKafkaAdminClient(bootstrap_servers=address)
        self.producer = AIOKafkaProducer(
            bootstrap_servers=address, acks="all", max_batch_size=BATCH_BYTES
        )
        # Without a group: it commits nothing and never rebalances.
        self.consumer = AIOKafkaConsumer(bootstrap_servers=address, fetch_max_bytes=16 << 20)

    async def start(self) -> None:
        await self.admin.start()
        await self.admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in TOPICS])
        await self.producer.start()
        await self.consumer.start()

    async def stop(self) -> None:
        for client in (self.consumer, self.producer):
            await client.stop()
        await self.admin.close()

    def pack(self, messages: Iterable[Message]) -> list[tuple[int, Any]]:
        """Producer batches, made before the clock starts: `(partition, batch)`."""
        full, filling = [], {}
        timestamp = int(time.time() * 1000)
        for message in messages:
            partition = message.partition
            batch = filling.get(partition) or self.producer.create_batch()
            filling[partition] = batch
            if batch.append(key=message.key, value=message.value, timestamp=timestamp) is None:
                full.append((partition, batch))
                filling[partition] = batch = self.producer.create_batch()
                batch.append(key=message.key, value=message.value, timestamp=timestamp)
        return full + list(filling.items())

    async def send(self, packed: list[tuple[int, Any]]) -> None:
        """Write what `pack` made and return when Kafka has confirmed all of it."""
        sent = [await self.producer.send_batch(b, "orders", partition=p) for p, b in packed]
        await asyncio.gather(*sent)

    async def counts(self) -> dict[str, int]:
        """How many records there are in each topic."""
        partitions = [TopicPartition(t, p) for t in TOPICS for p in range(PARTITIONS)]
        ends = await self.consumer.end_offsets(partitions)
        counts = dict.fromkeys(TOPICS, 0)
        for partition, end in ends.items():
            counts[partition.topic] += end
        return counts

    async def groups(self) -> list[str]:
        """All consumer groups; the broker is fresh, so they are the contender's."""
        return [name for name, *_ in await self.admin.list_consumer_groups()]

    async def members(self) -> int:
        """How many consumers share the partitions of the only group; 0 while that changes."""
        try:
            groups = await self.groups()
            if len(groups) != 1:
                return 0
            (answer,) = await self.admin.describe_consumer_groups(groups)
        except KafkaError as error:
            if error.retriable:  # the coordinator has only just started
                return 0
            raise
        _, _, state, _, _, members, *_ = answer.groups[0]
        return len(members) if state == "Stable" else 0

    async def committed(self, group: str) -> dict[str, int]:
        """The sum of a group's committed offsets in each topic that it has committed."""
        sums: dict[str, int] = {}
        for partition, offset in (await self.admin.list_consumer_group_offsets(group)).items():
            if partition.topic in TOPICS and offset.offset > 0:
                sums[partition.topic] = sums.get(partition.topic, 0) + offset.offset
        return sums

    async def judged_by_customer(self) -> int:
        """How many records of `orders-by-customer` the only group has done."""
        (group,) = await self.groups()
        offsets = await self.admin.list_consumer_group_offsets(group)
        of_topic = [at for tp, at in offsets.items() if tp.topic == "orders-by-customer"]
        return sum(max(at.offset, 0) for at in of_topic)

    async def read(self, topic: str) -> AsyncIterator[ConsumerRecord]:
        """All records of a topic."""
        partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        ends = await self.consumer.end_offsets(partitions)
        left = sum(ends.values())
        self.consumer.assign(partitions)
        await self.consumer.seek_to_beginning(*partitions)
        while left:
            async with asyncio.timeout(30):
                chunks = await self.consumer.getmany(timeout_ms=1000, max_records=10_000)
            for records in chunks.values():
                left -= len(records)
                for record in records:
                    yield record


@asynccontextmanager
async def running_kafka(directory: Path) -> AsyncIterator[Kafka]:
    """A fresh embedded broker with the topics; it has ended when this ends."""
    broker = EmbeddedBroker(directory)
    try:
        kafka = Kafka(await asyncio.to_thread(broker.join))
        try:
            await kafka.start()
            yield kafka
        finally:
            await kafka.stop()
    finally:
        broker.leave()
        wait_for_end(directory)


def wait_for_end(directory: Path) -> None:
    # The launcher holds this lock for as long as it or its broker lives.
    with FileLock(directory / "kafka" / "launcher.lock") as launcher:
        deadline = time.monotonic() + END_SECONDS
        while not launcher.try_lock() and time.monotonic() < deadline:
            time.sleep(0.05)
