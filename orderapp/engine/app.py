"""A Faust app whose services take batches, and which waits for Kafka instead of crashing."""

import asyncio
import logging
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from faust.types import TP
from faust.types.tuples import Message
from mode import Service
from yarl import URL

from orderapp.engine.batches.streams import BatchStream, Refused, refuse
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.dead_letters.write import DeadLetterWriter
from orderapp.engine.declare import DeclaringApp
from orderapp.engine.delivery.limit import GiveUp
from orderapp.engine.delivery.policy import deliver
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.delivery.settling import Work
from orderapp.engine.delivery.stopping import (
    CLOSING_SECONDS,
    COMMIT_SECONDS,
    DRAIN_SECONDS,
    stopping,
)
from orderapp.engine.errors import FatalError, SendRefusedError, TransientError
from orderapp.engine.health.watch import Watch
from orderapp.engine.health.write_rights import WriteRights
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka.producer import Producer
from orderapp.engine.kafka.rights import translated, until_allowed
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.engine.kafka.transport import Transport
from orderapp.engine.observe import metrics, trace_headers, tracing
from orderapp.engine.worker import Boot, Worker, check_port, quieten_garbage_collector

logger = logging.getLogger(__name__)

V = TypeVar("V")

#: Seconds that a stop waits for the collector of traces to take the last ones.
TRACES_SECONDS = 1.0
#: Seconds that a command (not a worker, which waits for ever) tries to reach Kafka.
COMMAND_PATIENCE = 15.0


class BatchApp(DeclaringApp):
    """`faust.App` with services, batched topics, dead letters, and Kafka made ready before use.

    `cluster` is called once, in a thread, before anything is sent or read: it may start a
    broker. `resources` are services that are started before Kafka is looked for, `give_up` how
    many records may become dead letters for reasons that do not lie in them, and
    `stall_seconds` the time without progress after which `watch` calls the worker stalled.
    Kafka answers after `fetch_wait` seconds when there is nothing to read: so often an idle
    worker asks, and for so long a partition may have to wait that was left out of a request."""

    BootStrategy = Boot

    def __init__(
        self,
        group: str,
        *,
        cluster: Callable[[], Cluster],
        give_up: GiveUp = GiveUp(),  # noqa: B008 - frozen
        stall_seconds: float = 120.0,
        fetch_wait: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(group, Worker=Worker, Stream=BatchStream, **options)
        self.resources: list[Service] = []
        #: Called with the name of a topic that has gone, was made anew, or has grown.
        self.topic_listeners: list[Callable[[str], None]] = []
        #: The topics that are there since `prepare`.
        self.prepared: set[str] = set()
        self.failure: str | None = None
        self.ready = False
        #: Known once it was found; clients of one's own are made for it.
        self.cluster: Cluster | None = None
        self._find_cluster = cluster
        self._give_up = give_up
        self.watch = Watch(self, stall_seconds)
        self.write_rights = WriteRights(self)
        self._readers: defaultdict[str, set[str]] = defaultdict(set)
        self._preparing = asyncio.Lock()
        self.transport = Transport(
            [URL("kafka://127.0.0.1:0")],
            self,
            decoders=self._decoders,
            drain_seconds=DRAIN_SECONDS,
            fetch_wait=fetch_wait,
        )

    # -- delivery -----------------------------------------------------------------------

    @cached_property
    def _writer(self) -> DeadLetterWriter:
        if self.dead_letters is None:
            raise RuntimeError("the app has no dead_letter_topic")
        send = self._sender.send_record
        return DeadLetterWriter(self.dead_letters, send, self._readers, self._set_aside)

    def _reject(self, message: Message, bad: list[Any]) -> asyncio.Task[None]:
        return self._writer.reject(message, bad)

    async def report_lost(self, losses: Collection[Loss]) -> None:
        """Note for good, count and tell what was deleted unread; returns when Kafka has
        confirmed the notes."""
        if self.cluster is None:
            raise RuntimeError("the app has no cluster yet")
        await self._writer.report_lost(losses, self.cluster)

    async def deliver(
        self,
        service: str,
        stream: Any,
        work: Work[V],
        *,
        overlap: int = 1,
        retry: Retry | None = None,
    ) -> None:
        """See `policy.deliver`; what can't be processed goes to the dead-letter topic."""
        if not isinstance(stream, Refused) and stream.channel.schema is not self._schema:
            topics = ", ".join(map(repr, stream.channel.topics))
            line = f"{service!r} gives `deliver` the topic {topics}, which was not made by "
            stream = refuse(self, f"{line}`batched_topic`: make it so, or use `async for`")
        elif self.dead_letters is None:
            line = (
                f"{service!r} reads a batched topic, and the app has no topic for what it can't"
            )
            stream = refuse(self, f"{line} process: make one with `app.dead_letter_topic`")
        if isinstance(stream, Refused):
            await anext(stream)
        stream.is_delivered = True
        for topic in stream.channel.topics:
            self._readers[topic].add(service)
            self.used_topics.add(topic)
            if letters := self.dead_letters:
                self.used_topics |= {letters, resolutions_topic(letters)}
            metrics.meter(service, topic)  # so that its series are there from the beginning
            metrics.LOST.labels(self.conf.id, topic)
        await deliver(
            service,
            stream,
            work,
            self._writer.write,
            overlap=overlap,
            retry=retry or self.retry,
            set_aside=self._set_aside,
            give_up=self._give_up,
        )

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[trace_headers.Headers] | None = None,
        timestamps: Sequence[int | None] | None = None,
    ) -> None:
        """See `transport.Producer.send_all`; `writes` has to name the topic."""
        try:
            await self._sender.send_all(topic, partition, messages, headers, timestamps)
        except SendRefusedError:
            self.write_rights.doubt(topic)
            raise

    def _set_aside(self, tp: TP) -> AbstractContextManager[None]:
        consumer = self.running_consumer()
        return nullcontext() if consumer is None else consumer.set_aside(tp)

    @property
    def _sender(self) -> Producer:
        producer = self.producer
        assert isinstance(producer, Producer)  # noqa: S101 - made by our own transport
        return producer

    # -- Kafka --------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Find the cluster, wait until it lets us in, create missing topics. Once.

        A worker waits as long as it takes, a command for `COMMAND_PATIENCE`.
        Raises `FatalError`."""
        async with self._preparing:
            if self.ready:
                return
            cluster = await asyncio.to_thread(self._find_cluster)
            self.cluster = cluster
            self.transport.url = [URL(f"kafka://{server}") for server in cluster.servers]
            topics = [*self.topic_specs, *self._leader_topic()]
            # Who reads nothing has no group, and need not be allowed one.
            reads = self.in_worker and not self.producer_only
            group = self.conf.id if reads else None
            await self.insist("start", lambda: cluster.prepare(topics, group))
            self.prepared = {topic.name for topic in topics}
            self.ready = True

    async def insist(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Ask Kafka until it answers and allows it.

        A worker waits as long as it takes, a command for `COMMAND_PATIENCE`, and not for
        rights: it raises `FatalError`."""
        if self.in_worker:
            await until_allowed(what, attempt)
        else:
            await _soon(self.cluster, attempt())

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
            sys.exit(f"orderapp: {error}")

    @property
    def readers(self) -> Mapping[str, set[str]]:
        """The services that read each topic."""
        return self._readers

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

    # -- start and stop -----------------------------------------------------------------

    async def on_first_start(self) -> None:
        """Faust makes its own directories, but not the one above them."""
        directory = Path(self.conf.datadir)
        try:
            await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
            if self.in_worker:
                self._start_tracing()
                if self.conf.web_enabled:
                    check_port(self.conf.web_bind, self.conf.web_port)
        except FatalError as error:
            await self.end(error)
        except OSError as error:
            await self.end(FatalError(f"{directory} can't be used: {error.strerror}"))
        if self.in_worker:
            quieten_garbage_collector()
        await super().on_first_start()

    def _start_tracing(self) -> None:
        namespace = self.conf.origin or self.conf.id
        service = self.conf.id.removesuffix("-group")
        tracing.start(os.environ, namespace=namespace, service=service)

    def fail(self, error: FatalError) -> None:
        """End the worker in order, with this one line and exit status 1."""
        if self.should_stop:
            # It was told to end, and that is why something it waited for did not come.
            logger.info("%s", error)
            return
        self.failure = str(error)
        logger.critical("%s", error)
        signal.raise_signal(signal.SIGTERM)

    async def end(self, error: FatalError) -> None:
        """`fail`, and wait for it: what calls this while the app starts goes no further."""
        self.fail(error)
        await asyncio.Event().wait()  # until the shutdown cancels the start

    async def on_stop(self) -> None:
        """Finish what was read, commit, and only then let Faust stop the agents."""
        if self.in_worker:
            logger.info("Worker stopping: what it has read is finished and committed first")
            stopping.begin()
        left = await self._drain()
        if self.dead_letters is not None:
            self._writer.cancel()
        if self.in_worker:
            # Who has waited in vain already waits less for the rest.
            stopping.close_within(CLOSING_SECONDS / 2 if left else CLOSING_SECONDS)
        await super().on_stop()
        await asyncio.to_thread(tracing.stop, stopping.left(TRACES_SECONDS))

    async def _drain(self) -> str | None:
        """What will come again, in one line, which also makes the exit status 1."""
        consumer = self.running_consumer()
        if consumer is None:
            return None
        left = await consumer.drain(0.0 if self.crashed else DRAIN_SECONDS, COMMIT_SECONDS)
        if left is not None:
            logger.error("%s", left)
            self.failure = self.failure or left
        return left

    async def _producer_flush(self, log: Any) -> None:
        # Whatever was to be sent before a commit was flushed with it.
        if self.should_stop:
            await let_go(super()._producer_flush(log), CLOSING_SECONDS)
        else:
            await super()._producer_flush(log)

    def _on_rebalance_when_stopped(self) -> None:
        """Nothing: the consumer's own thread ends it a moment later, and leaves the group.

        Faust closes aiokafka's client here, from another thread and below a coordinator that
        is at work: it asks a closed client without end, and the group waits for the session
        of a worker that has gone."""


async def _soon(cluster: Cluster | None, work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(COMMAND_PATIENCE):
            await work
    except (TransientError, TimeoutError) as error:
        raise FatalError(str(error) or f"Kafka at {cluster} does not answer") from error
