"""A loop written by hand around confluent-kafka: one process, 1,000 records at a time.

    python -m tests.benchmarks.contenders.loop [--direct] [--full]

Without `--direct` it has the topology of all: it reads orders, alerts and payments, and stores
what it reads. With it, alerts and payments are stored in the turn that makes them. With
`--full` SQLite has synced what it stored before the offsets are committed.
"""

import signal
import sys
from collections import defaultdict
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, Message, Producer

from tests.benchmarks.contenders.common import (
    HAS_STORE,
    KAFKA,
    TABLES,
    Row,
    alert_for,
    is_risky,
    now,
    open_store,
    payment_for,
    row,
)

BATCH = 1000


def failed(error: Any, message: Message) -> None:
    """Called by `flush` for a message that was not delivered."""
    raise KafkaException(error)


class Loop:
    """Fraud, payment and analytics in one loop."""

    def __init__(self, direct: bool, full: bool) -> None:
        self.direct = direct
        self.store = open_store("FULL" if full else "NORMAL")
        self.producer = Producer(
            {
                "bootstrap.servers": KAFKA,
                "acks": "all",
                "delivery.report.only.error": True,
                "on_delivery": failed,
            }
        )
        self.consumer = Consumer(
            {
                "bootstrap.servers": KAFKA,
                "group.id": "loop",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        reads_all = HAS_STORE and not direct
        self.consumer.subscribe(list(TABLES) if reads_all else ["orders"])
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        self.stopped = True

    def run(self) -> None:
        try:
            while not self.stopped:
                messages = self.consumer.consume(BATCH, timeout=0.05)
                if messages:
                    self.turn(messages)
                    self.consumer.commit(asynchronous=True)
            self.consumer.commit(asynchronous=False)
        finally:
            self.consumer.close()

    def turn(self, messages: list[Message]) -> None:
        """Process a batch: when this returns, all of it may be committed."""
        rows: dict[str, list[Row]] = defaultdict(list)
        moment = now()
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            topic, value = message.topic(), orjson.loads(message.value())
            place = message.partition(), message.offset()
            if topic == "orders":
                self.process(message.key(), value, place, moment, rows)
            if self.store:
                table = TABLES[topic]
                rows[table].append(row(table, value, *place))
        self.producer.flush()
        if self.store:
            self.store.save_all(rows)

    def process(
        self,
        key: bytes,
        order: dict[str, Any],
        place: tuple[int, int],
        moment: str,
        rows: dict[str, list[Row]],
    ) -> None:
        if is_risky(order):
            alert = alert_for(order, moment)
            self.producer.produce("fraud-alerts", orjson.dumps(alert), key)
            if self.direct:
                rows["alerts"].append(row("alerts", alert, *place))
        payment = payment_for(order, moment)
        self.producer.produce("payments", orjson.dumps(payment), key)
        if self.direct:
            rows["payments"].append(row("payments", payment, *place))


if __name__ == "__main__":
    Loop(direct="--direct" in sys.argv, full="--full" in sys.argv).run()
