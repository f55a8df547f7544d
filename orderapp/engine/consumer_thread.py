"""The thread of a worker's consumer, and how it reads.

Faust makes aiokafka's consumer with values of its own: uncommitted records (unless it runs
exactly-once) and fetches that wait for 1.5 s. And where Kafka has deleted what comes next,
aiokafka goes on with the oldest record that is left, without a word.
"""

import asyncio

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from orderapp.engine.beginnings import name_topics
from orderapp.engine.cluster import ISOLATION


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads what was committed; `transport.fetch_wait` is how long a fetch waits (s)."""

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        consumer = super()._create_consumer(loop)
        # It looks at all three when it is started.
        consumer._isolation_level = ISOLATION
        consumer._fetch_max_wait_ms = int(self.transport.fetch_wait * 1000)  # type: ignore[attr-defined]
        if consumer._auto_offset_reset == "earliest":
            consumer._auto_offset_reset = "none"  # `Consumer` decides, and tells
        name_topics(consumer, self.consumer.topic_ids)  # type: ignore[attr-defined]
        return consumer

    def highwater(self, tp: TP) -> int:
        """Where the partition ends for us: what is behind it belongs to open transactions."""
        end: int = self._ensure_consumer().last_stable_offset(tp)
        return end

    def bounds(self) -> dict[TP, tuple[int, int]]:
        """The last stable offsets, and the ends for who reads everything, as the last fetches
        brought them; those of one partition are from the same fetch."""
        consumer = self._ensure_consumer()
        both = {
            tp: (consumer.last_stable_offset(tp), consumer.highwater(tp))
            for tp in consumer.assignment()
        }
        return {tp: (stable, end) for tp, (stable, end) in both.items() if stable is not None}
