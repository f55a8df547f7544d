"""Reads the payments as they come, and so sees which partitions are worked on, and when."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from tests.chaos import clients
from tests.chaos.sent import Sent

TOPIC = "payments"
PARTITIONS = 6
#: Seconds until new partitions are looked for.
LOOK_EVERY = 5.0


class Observer:
    """Notes when each payment arrived."""

    def __init__(self, server: str) -> None:
        self._server = server
        #: Order id and Unix time, in the order of arrival.
        self.arrivals: list[tuple[int, float]] = []
        self._next: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except (KafkaError, OSError):
                await asyncio.sleep(0.2)

    async def _watch(self) -> None:
        # What was deleted, or made anew, is read from its beginning.
        async with clients.consumer(self._server, auto_offset_reset="earliest") as consumer:
            while True:
                await self._assign(consumer)
                until = time.monotonic() + LOOK_EVERY
                while time.monotonic() < until:
                    for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                        self._note(tp.partition, records)

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        """Read all partitions that there are now, from where it was."""
        for tp in await clients.partitions(consumer, TOPIC):
            self._next.setdefault(tp.partition, 0)
        wanted = {TopicPartition(TOPIC, number): at for number, at in self._next.items()}
        if wanted.keys() != consumer.assignment():
            consumer.assign(list(wanted))
            for tp, offset in wanted.items():
                consumer.seek(tp, offset)

    def _note(self, partition: int, records: list[object]) -> None:
        now = time.time()
        for record in records:
            if record.key and record.key.isdigit():
                self.arrivals.append((int(record.key), now))
            self._next[partition] = record.offset + 1

    def working_again(self, moment: float, sent: Sent) -> float:
        """Seconds from `moment` until in every partition of `orders` one was paid that had been
        sent after it; infinite when that never happened."""
        paid: dict[int, float] = {}
        for order_id, arrived in self.arrivals:
            if arrived > moment and sent.sent_at.get(order_id, 0.0) > moment:
                paid.setdefault(sent.partitions.get(order_id, -1), arrived)
        used: tuple[set[int], set[int]] = set(), set()
        for order_id, partition in sent.partitions.items():
            used[sent.sent_at[order_id] > moment].add(partition)
        # A partition that is newer than the fault was nobody's.
        return (
            max(
                (paid.get(n, float("inf")) for n in set.intersection(*used)),
                default=float("inf"),
            )
            - moment
        )

    def delays(self, sent: Sent) -> list[float]:
        """Seconds from an order's first send to its first payment, sorted."""
        first: dict[int, float] = {}
        for order_id, arrived in self.arrivals:
            first.setdefault(order_id, arrived)
        return sorted(
            arrived - sent.sent_at[order_id]
            for order_id, arrived in first.items()
            if order_id in sent.sent_at
        )
