"""The right to write to a topic, looked for without writing anything.

Who sends by itself meets a missing right at the next send. A worker that has nothing to send
yet, or that only passes on what others send, would call itself ready until then.
"""

import asyncio

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.protocol.produce import ProduceRequest
from mode import Service

from orderapp.engine.health.host import Host
from orderapp.engine.kafka.produce_errors import place_of, reason_for
from orderapp.engine.observe.blocked import blocked

#: Seconds between two looks while a right is missing, and those that all of one look may take.
EVERY, PATIENCE = 3.0, 5.0


class WriteRights(Service):
    """Looks for the rights of a worker once at its start, and then while one is missing."""

    def __init__(self, app: Host) -> None:
        self.app = app
        self._doubtful: set[str] = set()
        super().__init__()

    async def on_start(self) -> None:
        """Look for the first time: a worker without its rights is never ready."""
        self._doubtful |= self.app.written
        await self._look()

    def doubt(self, topic: str) -> None:
        """Look whether `topic` may be written to."""
        self._doubtful.add(topic)

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(EVERY)
            await self._look()

    async def _look(self) -> None:
        looks = [asyncio.create_task(self._look_at(topic)) for topic in self._doubtful]
        if looks:
            # Those that Kafka has not answered by then are put again.
            _, late = await asyncio.wait(looks, timeout=PATIENCE)
            for look in late:
                look.cancel()

    async def _look_at(self, topic: str) -> None:
        producer = getattr(self.app.producer, "_producer", None)
        allowed = None if producer is None else await may_write(producer, topic)
        error = TopicAuthorizationFailedError(topic)
        if allowed is False:
            blocked.block(place_of(topic, error), reason_for(topic, error))
        elif allowed:
            self._doubtful.discard(topic)
            blocked.free(place_of(topic, error))


async def may_write(producer: AIOKafkaProducer, topic: str) -> bool | None:
    """Whether Kafka allows it; None: it does not say."""
    client = producer.client
    try:
        tp = TopicPartition(topic, min(await client._wait_on_metadata(topic)))
        # No record at all: Kafka refuses that, when it has looked at the right.
        request = ProduceRequest(None, -1, 1000, [(topic, [(tp.partition, b"")])])
        answer = await client.send(client.cluster.leader_for_partition(tp), request)
    except TopicAuthorizationFailedError:
        return False
    except (KafkaError, AssertionError):
        return None
    code = answer.topics[0][1][0][1]
    return bool(code != TopicAuthorizationFailedError.errno)
