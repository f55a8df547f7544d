"""Reads the payments as they come, and so sees which partitions are worked on, and when."""

import asyncio
import time
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from tests.chaos.sender import Sent

TOPIC = "payments"
PARTITIONS = 6


class Observer:
    """Notes when each payment arrived."""

    def __init__(self, server: str) -> None:
        self._server = server
        #: For each partition: order id and Unix time, in the order of arrival.
        self.arrivals: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        self._next: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except (KafkaError, OSError):
                await asyncio.sleep(0.2)

    async def _watch(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._server,
            fetch_max_wait_ms=50,
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(TOPIC, number) for number in self._next])
            for number, offset in self._next.items():
                consumer.seek(TopicPartition(TOPIC, number), offset)
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    self._note(tp.partition, records)
        finally:
            await consumer.stop()

    def _note(self, partition: int, records: list[object]) -> None:
        now = time.time()
        for record in records:
            if record.key and record.key.isdigit():
                self.arrivals[partition].append((int(record.key), now))
            self._next[partition] = record.offset + 1

    def working_again(self, moment: float, sent: Sent) -> float:
        """Seconds from `moment` until in every partition an order was paid that had been sent
        after it; infinite when that never happened."""
        return max(self._first(number, moment, sent) for number in self._next) - moment

    def _first(self, partition: int, moment: float, sent: Sent) -> float:
        for order_id, arrived in self.arrivals[partition]:
            if arrived > moment and sent.sent_at.get(order_id, 0.0) > moment:
                return arrived
        return float("inf")

    def delays(self, sent: Sent) -> list[float]:
        """Seconds from an order's first send to its first payment, sorted."""
        first: dict[int, float] = {}
        for arrivals in self.arrivals.values():
            for order_id, arrived in arrivals:
                first.setdefault(order_id, arrived)
        return sorted(
            arrived - sent.sent_at[order_id]
            for order_id, arrived in first.items()
            if order_id in sent.sent_at
        )
