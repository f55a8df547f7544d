"""A Faust app whose agents take batches, and which waits for Kafka instead of crashing."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import faust
from aiokafka import ConsumerRecord
from faust.app.base import BootStrategy
from faust.types import TP, ServiceT
from faust.types.tuples import Message
from mode import Service
from msgspec.structs import replace
from yarl import URL

from orderapp.engine.batches.decoder import Complete, Decoder, RawDecoder
from orderapp.engine.batches.framing import Framing
from orderapp.engine.batches.records import is_for
from orderapp.engine.batches.schema import BatchSchema
from orderapp.engine.batches.streams import BatchStream, Refused, refuse
from orderapp.engine.dead_letters import headers as dead_letters
from orderapp.engine.dead_letters.resolutions import resolutions_topic as notes_topic
from orderapp.engine.delivery.errand import Errand
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.delivery.limit import GiveUp
from orderapp.engine.delivery.policy import deliver
from orderapp.engine.delivery.retry import persist
from orderapp.engine.delivery.settling import Work
from orderapp.engine.delivery.stopping import (
    CLOSING_SECONDS,
    COMMIT_SECONDS,
    DRAIN_SECONDS,
    STOP_SECONDS,
    stopping,
)
from orderapp.engine.errors import FatalError, SendRefusedError, TransientError
from orderapp.engine.health.watch import Watch
from orderapp.engine.health.write_rights import WriteRights
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.losses import Loss, encode_loss, first_left
from orderapp.engine.kafka.producer import Producer
from orderapp.engine.kafka.rights import translated, until_allowed
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.engine.kafka.transport import Transport
from orderapp.engine.observe import metrics, trace_headers, tracing
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.logs import Few, Quiet, say_rest

logger = logging.getLogger(__name__)

V = TypeVar("V")

#: The largest dead letter: a record of Kafka's default limit (1 MiB), and its headers.
DEAD_LETTER_BYTES = 2 * 1024 * 1024

#: Seconds that a stop waits for the collector of traces to take the last ones.
TRACES_SECONDS = 1.0
#: Seconds that a command (not a worker, which waits for ever) tries to reach Kafka.
COMMAND_PATIENCE = 15.0


class Boot(BootStrategy):
    """What a worker starts, in this order, and stops in the reverse one.

    The web server comes first, so that health checks are answered while Kafka is away."""

    app: "BatchApp"

    def server(self) -> Iterable[ServiceT]:
        """The services of a worker."""
        return self._chain(
            self.producer_only(),
            self.kafka_consumer(),
            self.agents(),
            self.kafka_conductor(),
            self.tables(),
            [] if self.app.producer_only else [self.app.watch],
        )

    def producer_only(self) -> Iterable[ServiceT]:
        """The services of a worker that reads nothing."""
        return self._chain(
            self.sensors(),
            self.web_server(),
            self.app.resources,
            [KafkaGate(self.app)],
            self.kafka_producer(),
            [self.app.write_rights],
            [self.app.watch] if self.app.producer_only else [],
        )


class KafkaGate(Service):
    """Lets the start go on when Kafka is there and has the topics."""

    def __init__(self, app: "BatchApp") -> None:
        self.app = app
        super().__init__()

    async def on_start(self) -> None:
        try:
            await self.app.prepare()
        except FatalError as error:
            await self.app.end(error)


class Worker(faust.Worker):
    """A Faust worker that ends with status 1 after `BatchApp.fail`, and says in its log what
    people want to see."""

    app: "BatchApp"

    def __init__(self, app: "BatchApp", *services: ServiceT, **options: Any) -> None:
        super().__init__(app, *services, **options)
        # Its banner and its spinner are no log lines.
        self._only_logs = app.conf.logging_config is not None
        self.quiet = self.quiet or self._only_logs

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:
        """Log what people want to see; everything at `-l debug`."""
        if self._only_logs:
            self.spinner = None
        super().on_setup_root_logger(logger, level)
        if level > logging.DEBUG:
            for handler in logger.handlers:
                handler.addFilter(Quiet())

    async def on_startup_finished(self) -> None:
        """Say where to look."""
        await super().on_startup_finished()
        if not self._shutdown_immediately:
            web = f" at {self.app.web_server_url}" if self.app.conf.web_enabled else ""
            logger.info("Worker ready%s, Kafka at %s", web, self.app.cluster)

    def execute_from_commandline(self) -> Any:
        """Run until stopped; never returns."""
        try:
            super().execute_from_commandline()
        except SystemExit as end:
            self._say_why(end.__context__)
            say_rest()
            logger.info("Worker stopped")
            status = 1 if self.app.failure is not None or end.code else 0
            stopping.end(status)
            raise SystemExit(status) from None

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        # Whoever sends the signals of one Ctrl-C twice (a shell's group, and a supervisor) does
        # not mean that the work under way is to be dropped. The stop has a bound.
        if self._signal_stop_time:
            logger.info("Worker stopping already: it ends within %g s", STOP_SECONDS)
        super()._schedule_shutdown(number)

    def _gather_all(self) -> None:
        # Faust waits for a second before it cancels what its services have left.
        for task in asyncio.all_tasks(self.loop):
            task.cancel()

    async def _sentinel_task(self) -> None:
        """The event loop's last: let what was cancelled end. Faust sleeps for a second."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # A late one would end the process by itself, with a status of its own.
            self.loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        tasks = asyncio.all_tasks(self.loop) - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=stopping.left(CLOSING_SECONDS))

    def _say_why(self, error: BaseException | None) -> None:
        # Faust logs what ends its start, but an error of its stop is only an exit status.
        start = self._starting_fut
        if error is None or self.app.failure is not None:
            return
        if start is None or start.cancelled() or not start.done() or start.exception() != error:
            logger.error("the worker did not end in order: %r", error, exc_info=error)


class BatchApp(faust.App):
    """`faust.App` with batched topics, dead letters, and Kafka made ready before use.

    `cluster` is called once, in a thread, before anything is sent or read: it may start a
    broker. `resources` are services that are started before Kafka is looked for, and
    `topic_specs` are topics that are created when they are missing. `max_attempts` is how often
    an error that may pass is tried (`errors.RetryableError`), `give_up` how many records may
    become dead letters for reasons that do not lie in them, and `stall_seconds` the time
    without progress after which `watch` calls the worker stalled. Kafka answers after
    `fetch_wait` seconds when there is nothing to read: so often an idle worker asks, and for
    so long a partition may have to wait that was left out of a request."""

    BootStrategy = Boot

    def __init__(
        self,
        group: str,
        *,
        cluster: Callable[[], Cluster],
        max_attempts: int = 1,
        give_up: GiveUp = GiveUp(),  # noqa: B008 - frozen
        stall_seconds: float = 120.0,
        fetch_wait: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(group, Worker=Worker, Stream=BatchStream, **options)
        self.resources: list[Service] = []
        self.topic_specs: list[TopicSpec] = []
        #: The topics that this worker reads, or may write to.
        self.used_topics: set[str] = set()
        #: Called with the name of a topic that has gone, was made anew, or has grown.
        self.topic_listeners: list[Callable[[str], None]] = []
        #: The topics that are there since `prepare`.
        self.prepared: set[str] = set()
        self.failure: str | None = None
        self.ready = False
        #: Known once it was found; clients of one's own are made for it.
        self.cluster: Cluster | None = None
        self._find_cluster = cluster
        self._max_attempts = max_attempts
        self._give_up = give_up
        self.watch = Watch(self, stall_seconds)
        self._dead_letter_topic: str | None = None
        self.write_rights = WriteRights(self)
        self._written: set[str] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self._few_letters = Few(dead_letters.logger, logging.WARNING, "dead letters")
        self._readers: defaultdict[str, set[str]] = defaultdict(set)
        self._decoders: dict[str, Decoder[Any]] = {}
        self._schema = BatchSchema(self._decoders, self._reject)
        self._preparing = asyncio.Lock()
        self.transport = Transport(
            [URL("kafka://127.0.0.1:0")],
            self,
            decoders=self._decoders,
            drain_seconds=DRAIN_SECONDS,
            fetch_wait=fetch_wait,
        )

    # -- topics and agents --------------------------------------------------------------

    def batched_topic(
        self,
        name: str,
        record: type[V],
        *,
        partitions: int,
        complete: Complete[V] | None = None,
        framing: Framing | None = None,
    ) -> Any:
        """A topic whose agents get `Batch`es of `record`'s fast twin; use `deliver` in them.

        `complete(value, record)` may fill in or refuse (ValueError) what was decoded. With
        `framing="schema-registry"` values may stand behind a schema's id. The topic is created
        with so many partitions if it is missing."""
        self._decoders[name] = Decoder(record, complete, framing)
        # A compacted topic drops all but the last record of a key, and refuses one without.
        self.topic_specs.append(TopicSpec(name, partitions, {"cleanup.policy": "delete"}))
        return self.topic(name, schema=self._schema)

    def is_batched(self, topic: str) -> bool:
        """Whether the records of a topic come in batches."""
        return topic in self._decoders

    def decoder(self, topic: str) -> Decoder[Any]:
        """What decodes the records of a batched topic."""
        return self._decoders[topic]

    def dead_letter_topic(self, name: str, *, partitions: int) -> Any:
        """The topic for what can't be processed, kept without end; an app with batched topics
        needs one. Its own batches hold the records as they are.

        `<name>-resolved` notes what was replayed or dropped."""
        self._dead_letter_topic = name
        self._decoders[name] = RawDecoder()
        forever = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        size = {"max.message.bytes": str(DEAD_LETTER_BYTES)}
        self.topic_specs.append(TopicSpec(name, partitions, size | forever))
        compact = {"cleanup.policy": "compact"}
        self.topic_specs.append(TopicSpec(f"{name}-resolved", 1, compact))
        return self.topic(name, schema=self._schema)

    async def deliver(
        self, service: str, stream: Any, work: Work[V], *, overlap: int = 1
    ) -> None:
        """See `delivery.deliver`; what can't be processed goes to the dead-letter topic."""
        if not isinstance(stream, Refused) and stream.channel.schema is not self._schema:
            topics = ", ".join(map(repr, stream.channel.topics))
            line = f"{service!r} gives `deliver` the topic {topics}, which was not made by "
            stream = refuse(self, f"{line}`batched_topic`: make it so, or use `async for`")
        elif self._dead_letter_topic is None:
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
            if letters := self._dead_letter_topic:
                self.used_topics |= {letters, notes_topic(letters)}
            metrics.meter(service, topic)  # so that its series are there from the beginning
            metrics.LOST.labels(self.conf.id, topic)
        await deliver(
            service,
            stream,
            work,
            self._bury,
            overlap=overlap,
            max_attempts=self._max_attempts,
            set_aside=self._set_aside,
            give_up=self._give_up,
        )

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[trace_headers.Headers] | None = None,
    ) -> None:
        """See `transport.Producer.send_all`; `writes` has to name the topic."""
        try:
            await self._sender.send_all(topic, partition, messages, headers)
        except SendRefusedError:
            self.write_rights.doubt(topic)
            raise

    def writes(self, topic: str) -> None:
        """Say that this worker sends to `topic`: not ready without it, or the right to."""
        self._written.add(topic)
        self.used_topics.add(topic)

    @property
    def written(self) -> set[str]:
        """The topics that this worker sends to; who reads may have dead letters."""
        letters = (
            {self._dead_letter_topic} if self._dead_letter_topic and self.agents else set()
        )
        return self._written | letters

    def _set_aside(self, tp: TP) -> AbstractContextManager[None]:
        consumer = self.running_consumer()
        return nullcontext() if consumer is None else consumer.set_aside(tp)

    @property
    def _sender(self) -> Producer:
        producer = self.producer
        assert isinstance(producer, Producer)  # noqa: S101 - made by our own transport
        return producer

    def _reject(
        self, message: Message, bad: list[tuple[ConsumerRecord, Exception]]
    ) -> asyncio.Task[None]:
        with Errand(message, self._set_aside).current():
            task = asyncio.create_task(self._bury_all(bad))
        self._burials.add(task)
        task.add_done_callback(self._burials.discard)
        # Looked at: the partition may go, and nobody be left who waits for it.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _bury_all(self, bad: list[tuple[ConsumerRecord, Exception]]) -> None:
        burials = []
        for record, error in bad:
            readers = [r for r in sorted(self._readers[record.topic]) if is_for(record, r)]
            for reader in readers:
                metrics.meter(reader, record.topic).rejected()
            if readers:  # else it is a replay for a service of other workers
                burials.append(self._bury(record, Failure(",".join(readers), error)))
        await asyncio.gather(*burials)

    async def _bury(self, record: ConsumerRecord, failure: Failure) -> None:
        topic = self._dead_letter_topic
        if topic is None:
            raise RuntimeError("the app has no dead_letter_topic") from failure.error
        if self._few_letters.room():
            dead_letters.log_line(record, failure)
        if record.topic == topic:
            return  # it is there already, and would come again without end
        headers = dead_letters.headers_for(record, failure)
        await self._sender.send_record(
            topic, key=record.key, value=record.value, headers=headers
        )
        metrics.dead_letter(failure.service, failure.error)

    async def report_lost(self, losses: Collection[Loss]) -> None:
        """Note for good, count and tell what was deleted unread; returns when Kafka has
        confirmed the notes."""
        topic = self._dead_letter_topic
        if topic is None or self.cluster is None:
            raise RuntimeError("the app has no dead_letter_topic, or no cluster yet")
        of_topics = [loss for loss in losses if not loss.with_topic]
        left = await first_left(self.cluster, of_topics) if of_topics else {}
        notes = notes_topic(topic)
        for loss in losses:
            await self._note_loss(
                notes, replace(loss, before=left.get((loss.topic, loss.partition)))
            )

    async def _note_loss(self, topic: str, loss: Loss) -> None:
        key, value = loss.key, encode_loss(loss)

        async def send() -> None:
            try:
                await self._sender.send_record(topic, key=key, value=value, headers=[])
            except SendRefusedError as error:
                line = "what was deleted unread can't be noted, and nothing behind it is read"
                blocked.block(("note", topic), f"{line}: {error}")
                raise
            blocked.free(("note", topic))

        what = f"note of lost records of {loss.topic}[{loss.partition}]"
        await persist(what, send, (loss.topic, loss.partition))
        metrics.LOST.labels(loss.group, loss.topic).inc(loss.records)
        logger.error("%s (noted in %s)", loss, topic)

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
                    _check_port(self.conf.web_bind, self.conf.web_port)
        except FatalError as error:
            await self.end(error)
        except OSError as error:
            await self.end(FatalError(f"{directory} can't be used: {error.strerror}"))
        if self.in_worker:
            _quieten_garbage_collector()
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
        for burial in self._burials:
            burial.cancel()
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


def _quieten_garbage_collector() -> None:
    # Thousands of records live for a moment in every batch, and none of them is in a cycle.
    # Python's default is to look for cycles at each 700th new object: a tenth of the CPU time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _soon(cluster: Cluster | None, work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(COMMAND_PATIENCE):
            await work
    except (TransientError, TimeoutError) as error:
        raise FatalError(str(error) or f"Kafka at {cluster} does not answer") from error


def _check_port(host: str, port: int) -> None:
    # The web server would say the same, in a traceback.
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0]) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address[4])
    except OSError as error:
        raise FatalError(
            f"the web server can't listen on {host} port {port}: {error.strerror} "
            "(`-p` chooses another port)"
        ) from error
