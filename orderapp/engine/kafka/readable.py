"""Topics that Kafka does not let a worker read, although it is subscribed to them.

aiokafka raises this out of the next poll, which would end the worker. Their partitions are
paused instead, and tried again now and then; the others are read meanwhile.
"""

import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from orderapp.engine.kafka.rights import forbidden
from orderapp.engine.observe.blocked import blocked


class Readable:
    """Looks after the rights to read; runs in the consumer's loop."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        #: Since when each refused topic is tried again (ms of Unix time), None: not yet.
        self._refused: dict[str, float | None] = {}

    def refuse(self, topic: str) -> None:
        """Note that Kafka does not let us read `topic`."""
        blocked.block(("read", topic), str(forbidden("READ", "topic", topic)))
        self._refused[topic] = None
        self._consumer.pause(*self._partitions(topic))

    def look(self) -> None:
        """Try again what was refused; to be called every few seconds."""
        for topic, since in list(self._refused.items()):
            if since is None:
                self._refused[topic] = time.time() * 1000
                self._consumer.resume(*self._partitions(topic))
            elif self._was_read(topic, since):
                del self._refused[topic]
                blocked.free(("read", topic))

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [tp for tp in self._consumer.assignment() if tp.topic == topic]

    def _was_read(self, topic: str, since: float) -> bool:
        partitions = self._partitions(topic)
        answers = [self._consumer.last_poll_timestamp(tp) or 0 for tp in partitions]
        return not partitions or max(answers) > since
