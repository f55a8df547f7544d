"""An app and its Kafka: waited for before use, and asked by clients of one's own."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP
from yarl import URL

from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.delivery.stopping import DRAIN_SECONDS
from orderapp.engine.errors import FatalError, SendFailedError, TransientError
from orderapp.engine.faust_app import ServicesApp
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.producer import Producer
from orderapp.engine.kafka.producer_ids import new_producer_id
from orderapp.engine.kafka.rights import translated, until_allowed
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.engine.kafka.transport import Transport
from orderapp.engine.kafka.writing import send_failure
from orderapp.engine.observe.texts import complaint

#: Seconds that a command (not a worker, which waits for ever) tries to reach Kafka.
COMMAND_PATIENCE = 15.0


class KafkaApp(ServicesApp):
    """An app that waits for Kafka instead of crashing. `cluster` is called once, in a thread,
    before anything is sent or read: it may start a broker. Kafka answers after `fetch_wait`
    seconds when there is nothing to read: so often an idle worker asks, and for so long a
    partition may have to wait that was left out of a request."""

    def __init__(
        self,
        group: str,
        *,
        cluster: Callable[[], Cluster],
        fetch_wait: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(group, **options)
        #: Topics that are created when they are missing.
        self.topic_specs: list[TopicSpec] = []
        #: The topics that this worker reads, or may write to.
        self.used_topics: set[str] = set()
        #: Called with the name of a topic that has gone, was made anew, or has grown.
        self.topic_listeners: list[Callable[[str], None]] = []
        self._decoders: dict[str, Decoder[Any]] = {}
        #: The topics that are there since `prepare`.
        self.prepared: set[str] = set()
        self.ready = False
        #: For clients of one's own; None until the topics are there, as aiokafka logs an error
        #: for each that it does not find.
        self.cluster: Cluster | None = None
        self._found: Cluster | None = None
        self._find_cluster = cluster
        self._preparing = asyncio.Lock()
        self.transport = Transport(
            [URL("kafka://127.0.0.1:0")],
            self,
            decoders=self._decoders,
            drain_seconds=DRAIN_SECONDS,
            fetch_wait=fetch_wait,
        )

    async def prepare(self) -> None:
        """Find the cluster, wait until it lets us in, create missing topics. Once.

        A worker waits as long as it takes, a command for `COMMAND_PATIENCE`.
        Raises `FatalError`."""
        async with self._preparing:
            if self.ready:
                return
            cluster = await asyncio.to_thread(self._find_cluster)
            self._found = cluster
            self.transport.url = [URL(f"kafka://{server}") for server in cluster.servers]
            topics = [*self.topic_specs, *self._leader_topic()]
            # Who reads nothing has no group, and need not be allowed one.
            reads = self.in_worker and not self.producer_only
            group = self.conf.id if reads else None
            await self.insist("start", lambda: cluster.prepare(topics, group))
            self.prepared = {topic.name for topic in topics}
            self.cluster = cluster
            self.ready = True

    async def insist(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Ask Kafka until it answers and allows it.

        A worker waits as long as it takes, a command for `COMMAND_PATIENCE`, and not for
        rights: it raises `FatalError`."""
        if self.in_worker:
            await until_allowed(what, attempt)
        else:
            await _soon(self._found, attempt())

    def translated(self, error: Exception, operation: str, *topics: str) -> Exception:
        """See `rights.translated`."""
        return translated(error, operation, topics, self.conf.id)

    async def find_cluster(self) -> Cluster:
        """The cluster, for a command that only reads: no topic is created.

        Raises `FatalError` when it is away for `COMMAND_PATIENCE`, or does not let us in."""
        cluster = await asyncio.to_thread(self._find_cluster)
        await _soon(cluster, cluster.log_in())
        return cluster

    def _leader_topic(self) -> list[TopicSpec]:
        # Faust would create it with a replication factor of its own.
        if self.conf.topic_disable_leader:
            return []
        return [TopicSpec(f"{self.conf.id}-__assignor-__leader", 1)]

    async def maybe_start_producer(self) -> Any:
        """What a command calls before it sends."""
        try:
            await self.prepare()
            return await super().maybe_start_producer()
        except FatalError as error:
            # Faust would show an exception's traceback, twice.
            sys.exit(complaint(error))

    def running_consumer(self) -> Consumer | None:
        """What reads for this worker, None while it does not."""
        consumer = self._consumer
        return consumer if isinstance(consumer, Consumer) and consumer.started else None

    def has_partitions(self) -> bool:
        """Whether this worker has partitions to read."""
        consumer = self.running_consumer()
        return consumer is not None and bool(consumer.assignment())

    def kafka_client(self) -> Any:
        """The producer's aiokafka client, None while it has none."""
        producer = getattr(self._producer, "_producer", None)
        return None if producer is None else producer.client

    async def unique_number(self, topic: str) -> int:
        """A number of up to 63 bits that Kafka gives nobody else, for who sends to `topic`;
        raises `SendFailedError`."""
        client = self.kafka_client()
        if client is None:
            raise SendFailedError("Kafka is not reachable yet")
        try:
            return await new_producer_id(client)
        except KafkaError as error:
            raise send_failure(topic, error) from error

    def _set_aside(self, tp: TP) -> AbstractContextManager[None]:
        consumer = self.running_consumer()
        return nullcontext() if consumer is None else consumer.set_aside(tp)

    @property
    def _sender(self) -> Producer:
        producer = self.producer
        assert isinstance(producer, Producer)  # noqa: S101 - made by our own transport
        return producer


async def _soon(cluster: Cluster | None, work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(COMMAND_PATIENCE):
            await work
    except (TransientError, TimeoutError) as error:
        raise FatalError(str(error) or f"Kafka at {cluster} does not answer") from error
