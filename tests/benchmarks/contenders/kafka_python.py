"""kafka-python as tutorials show it: three processes, a poll loop, `producer.send`.

python -m tests.benchmarks.contenders.kafka_python fraud|payment|analytics
"""

import signal
import sys
from collections.abc import Callable
from typing import Any

import orjson
from kafka import KafkaConsumer, KafkaProducer

from tests.benchmarks.contenders.common import (
    KAFKA,
    TABLES,
    Database,
    alert_for,
    is_risky,
    now,
    payment_for,
    row,
)


def consume(group: str, topics: list[str], process: Callable[[dict], None]) -> None:
    """Give `process` what each poll returns and commit, until SIGTERM."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    consumer = KafkaConsumer(
        *topics,
        bootstrap_servers=KAFKA,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        value_deserializer=orjson.loads,
        max_poll_records=1000,
    )
    while not stopped:
        records = consumer.poll(timeout_ms=200)
        if records:
            process(records)
            consumer.commit()
    consumer.close()


def make_producer() -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=KAFKA,
        acks="all",
        linger_ms=5,
        value_serializer=orjson.dumps,
    )


def fraud() -> None:
    producer = make_producer()

    def check(records: dict[Any, list[Any]]) -> None:
        for of_partition in records.values():
            for record in of_partition:
                if is_risky(record.value):
                    alert = alert_for(record.value, now())
                    producer.send("fraud-alerts", key=record.key, value=alert)
        producer.flush()

    consume("fraud", ["orders"], check)


def payment() -> None:
    producer = make_producer()

    def charge(records: dict[Any, list[Any]]) -> None:
        for of_partition in records.values():
            for record in of_partition:
                paid = payment_for(record.value, now())
                producer.send("payments", key=record.key, value=paid)
        producer.flush()

    consume("payment", ["orders"], charge)


def analytics() -> None:
    database = Database()

    def keep(records: dict[Any, list[Any]]) -> None:
        rows: dict[str, list[Any]] = {}
        for tp, of_partition in records.items():
            table = TABLES[tp.topic]
            rows.setdefault(table, []).extend(
                row(table, record.value, tp.partition, record.offset) for record in of_partition
            )
        database.save_all(rows)

    consume("analytics", list(TABLES), keep)


if __name__ == "__main__":
    {"fraud": fraud, "payment": payment, "analytics": analytics}[sys.argv[1]]()
