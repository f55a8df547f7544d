"""Sends any record that Kafka allows."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from orderapp.engine.errors import SendFailedError
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.produce_errors import REFUSED, reason_for
from orderapp.engine.observe.texts import text_or_class

#: Seconds in which Kafka has to confirm a single send.
PATIENCE = 20.0


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


async def send_once(cluster: Cluster, topic: str, key: bytes, value: bytes) -> None:
    """Send a record with a producer of its own, for a command; raises `SendFailedError` when
    Kafka does not confirm it, in which case it may have been written."""
    options: dict[str, Any] = {"acks": "all", "request_timeout_ms": int(PATIENCE * 1000)}
    producer = AIOKafkaProducer(**cluster.client_options(), **options)
    try:
        async with asyncio.timeout(PATIENCE):
            await producer.start()
            await producer.send_and_wait(topic, value, key=key)
    except (KafkaError, OSError, TimeoutError) as error:
        refused = type(error) in REFUSED
        text = reason_for(topic, error) if refused else text_or_class(error)
        raise SendFailedError(f"Kafka at {cluster} did not confirm it: {text}") from error
    finally:
        await let_go(producer.stop())
