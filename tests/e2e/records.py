"""Sends records to Kafka and reads whole topics, with an aiokafka client of its own."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from orderapp.engine.kafka import sending
from tests.e2e.worker import eventually

Message = tuple[bytes | None, bytes | None]


class OddName(str):
    """A header's name with any bytes; only `aiokafka`'s code in Python can send it."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> "OddName":
        """`raw` is what is sent."""
        name = super().__new__(cls, raw.decode(errors="replace"))
        name.raw = raw
        return name

    def encode(self, *_: str) -> bytes:
        """The bytes."""
        return self.raw


def order(order_id: int, amount: float = 100.0, country: str = "DE", **more: Any) -> Message:
    """An order's key and value as a sender would write them."""
    value = {"order_id": order_id, "customer_id": 1234, "amount": amount, "country": country}
    return str(order_id).encode(), json.dumps({**value, **more}).encode()


def send(
    server: str,
    messages: Iterable[Message],
    topic: str = "orders",
    headers: Sequence[tuple[str, bytes]] = (),
    timestamp: int | None = None,
    **options: Any,
) -> None:
    """Send all, and return when Kafka has confirmed them; `timestamp`: ms, by default now."""

    async def run() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=server, linger_ms=5, max_request_size=2_000_000, **options
        )
        try:
            await producer.start()
            sent = [
                await sending.send(
                    producer,
                    topic,
                    key=key,
                    value=value,
                    headers=[*headers],
                    timestamp=timestamp,
                )
                for key, value in messages
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    asyncio.run(run())


def read(server: str, topic: str, **options: Any) -> list[ConsumerRecord]:
    """All records of a topic, as it is now: those that were committed."""

    async def run() -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=server, **{"isolation_level": "read_committed"} | options
        )
        await consumer.start()
        try:
            return await _read_all(consumer, await _partitions(consumer, topic))
        finally:
            await consumer.stop()

    return asyncio.run(run())


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    metadata = await consumer._client.fetch_all_metadata()
    return [TopicPartition(topic, n) for n in sorted(metadata.partitions_for_topic(topic))]


async def _read_all(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> list[ConsumerRecord]:
    records: list[ConsumerRecord] = []
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    for tp, offset in (await consumer.beginning_offsets(partitions)).items():
        consumer.seek(tp, offset)
    while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            records += batch
    return records


def committed(server: str, group: str, topic: str) -> Mapping[int, int]:
    """The committed offset of each partition of a topic."""

    async def run() -> Mapping[int, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=server)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return {tp.partition: at.offset for tp, at in offsets.items() if tp.topic == topic}

    return asyncio.run(run())


def ends(server: str, topic: str) -> Mapping[int, int]:
    """The end offset of each partition of a topic, for who reads what is committed."""

    async def run() -> Mapping[int, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=server, isolation_level="read_committed")
        await consumer.start()
        try:
            offsets = await consumer.end_offsets(await _partitions(consumer, topic))
        finally:
            await consumer.stop()
        return {tp.partition: offset for tp, offset in offsets.items()}

    return asyncio.run(run())


def wait_for_ends(server: str, topic: str, offset: int) -> None:
    """Return when this is the end offset of every partition.

    The mark that ends a transaction is written a moment after its commit was confirmed."""
    eventually(lambda: {*ends(server, topic).values()} == {offset}, f"{topic} ends at {offset}")


def wait_done(server: str, group: str = "orderapp") -> None:
    """Return when the group has done all that is on its topics, and what came of it."""
    for topic in ("orders", "fraud-alerts", "payments"):

        def done(topic: str = topic) -> bool:
            at = committed(server, group, topic)
            return all(at.get(n, 0) >= end for n, end in ends(server, topic).items())

        eventually(done, f"all of {topic} is done")


def values(records: Iterable[ConsumerRecord]) -> list[dict[str, Any]]:
    """The JSON of each record."""
    return [json.loads(record.value) for record in records]
