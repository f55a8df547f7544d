"""Sends any record that Kafka allows."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer


async def send(
    producer: AIOKafkaProducer,
    topic: str,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes]],
    partition: int | None = None,
    timestamp: int | None = None,
) -> asyncio.Future[Any]:
    """`producer.send`, which refuses a record that has neither key nor value."""
    future: asyncio.Future[Any]
    if key is not None or value is not None:
        future = await producer.send(
            topic, value, key=key, partition=partition, headers=headers, timestamp_ms=timestamp
        )
        return future
    batch = producer.create_batch()
    batch.append(timestamp=timestamp, key=None, value=None, headers=headers)
    if partition is None:
        partition = min(await producer.partitions_for(topic))
    future = await producer.send_batch(batch, topic, partition=partition)
    return future
