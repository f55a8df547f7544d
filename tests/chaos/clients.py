"""Consumers of the run's own, which read what is committed and belong to no group."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition


@asynccontextmanager
async def consumer(server: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """One that is stopped with the block."""
    defaults = {"fetch_max_wait_ms": 50, "isolation_level": "read_committed"}
    client = AIOKafkaConsumer(bootstrap_servers=server, **defaults | options)
    try:
        await client.start()
        await asyncio.sleep(0)  # one that is stopped before its own tasks begin raises
        yield client
    finally:
        await _stop(client)


async def _stop(client: AIOKafkaConsumer) -> None:
    try:
        await client.stop()
    except asyncio.CancelledError:
        # It may be that of aiokafka's own tasks, which it awaits.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        await client._client.close()


async def partitions(client: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Those that a topic has now; none where it is missing."""
    metadata = await client._client.fetch_all_metadata()
    return [
        TopicPartition(topic, n) for n in sorted(metadata.partitions_for_topic(topic) or ())
    ]


async def ends(server: str, topic: str) -> dict[int, int]:
    """Up to where each partition can be read; a transaction that is open is in the way."""
    async with consumer(server) as client:
        found = await client.end_offsets(await partitions(client, topic))
    return {tp.partition: end for tp, end in found.items()}


async def read(server: str, topic: str) -> list[ConsumerRecord]:
    """All records of a topic, as it is now."""
    found: list[ConsumerRecord] = []
    async with consumer(server) as client:
        parts = await partitions(client, topic)
        client.assign(parts)
        until = await client.end_offsets(parts)
        for tp, begin in (await client.beginning_offsets(parts)).items():
            client.seek(tp, begin)
        while any([await client.position(tp) < until[tp] for tp in parts]):
            for records in (await client.getmany(timeout_ms=500)).values():
                found += records
    return found
