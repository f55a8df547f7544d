"""Kafka records for unit tests."""

from aiokafka import ConsumerRecord


def record(
    value=b"{}", key=b"7", *, topic="orders", partition=0, offset=0, timestamp=0, headers=()
):
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key) if key else -1,
        serialized_value_size=len(value) if value else -1,
        headers=tuple(headers),
    )
