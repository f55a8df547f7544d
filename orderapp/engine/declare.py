"""What an author declares: topics, services, and what else of Faust they use."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from aiokafka import ConsumerRecord
from faust.types import AgentT, StreamT
from faust.types.tuples import Message

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.codec import Codec, Json, Raw
from orderapp.engine.batches.decoder import Complete, Decoder, RawDecoder
from orderapp.engine.batches.schema import BatchSchema
from orderapp.engine.batches.topic import Key, Told, Topic
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.delivery.settling import Work
from orderapp.engine.faust_app import ServicesApp
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.engine.observe import trace_headers
from orderapp.engine.services import (
    DeclarationError,
    Service,
    ServiceAgent,
    check_function,
    check_topic,
    where,
    work_on_each,
)

V = TypeVar("V")
M = TypeVar("M")

#: The batched topics that something sends to.
Sends = Topic[Any] | tuple[Topic[Any], ...]
Stream = Awaitable[Any] | AsyncIterable[Any]

#: The largest dead letter: a record of Kafka's default limit (1 MiB), and its headers.
DEAD_LETTER_BYTES = 2 * 1024 * 1024


class DeclaringApp(ServicesApp):
    """A Faust app with batched topics and services. `runs` says of a service's name whether
    this worker runs it; what the others declare is known, and not started."""

    def __init__(
        self,
        group: str,
        *,
        runs: Callable[[str], bool] = lambda _: True,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        **options: Any,
    ) -> None:
        super().__init__(group, runs=runs, **options)
        #: Of services that say nothing else.
        self.retry = retry
        #: Topics that are created when they are missing.
        self.topic_specs: list[TopicSpec] = []
        #: The batched topics, by name.
        self.batched: dict[str, Topic[Any]] = {}
        #: The topics that this worker reads, or may write to.
        self.used_topics: set[str] = set()
        self.dead_letters: str | None = None
        self._written: set[str] = set()
        self._declared_at: dict[str, str] = {}
        self._decoders: dict[str, Decoder[Any]] = {}
        self._schema = BatchSchema(self._decoders, self._reject)

    def _reject(self, message: Message, bad: list[Any]) -> Any:
        raise NotImplementedError

    async def deliver(
        self,
        service: str,
        stream: Any,
        work: Work[V],
        *,
        overlap: int = 1,
        retry: Retry | None = None,
    ) -> None:
        """Give the batches of a stream to `work`; see `BatchApp`."""
        raise NotImplementedError

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[trace_headers.Headers] | None = None,
        timestamps: Sequence[int | None] | None = None,
    ) -> None:
        """Send bytes; see `BatchApp`."""
        raise NotImplementedError

    # -- topics -------------------------------------------------------------------------

    def batched_topic(
        self,
        name: str,
        record: type[V],
        *,
        partitions: int,
        key: Key | None = None,
        codec: Codec[V] | None = None,
        complete: Complete[V] | None = None,
        told: Told[V] | None = None,
        says: Callable[[V], str] | None = None,
        text: str = "",
    ) -> Topic[V]:
        """A topic of `record`s whose services get them in batches. It is created with so many
        partitions if it is missing.

        `key` is the field of a message that makes its key, or a function; without it a message
        has the key of the record that it follows from. `codec` reads and writes the values
        (`Json(record)`). `complete(value, record)` may fill in or refuse (ValueError) what was
        decoded; `told(messages, values)` hears what was sent, `says(message)` is its line in
        the log (of many the first ones), and `text` tells people what the topic is for."""
        codec = codec or Json(record)
        self._decoders[name] = Decoder(codec, complete)
        # A compacted topic drops all but the last record of a key, and refuses one without.
        self.topic_specs.append(TopicSpec(name, partitions, {"cleanup.policy": "delete"}))
        topic: Topic[V] = Topic(self, topics=(name,), schema=self._schema)
        self.batched[name] = topic
        return topic.holds(codec, self, key=key, told=told, says=says, text=text)

    def dead_letter_topic(
        self, name: str, *, partitions: int, text: str = ""
    ) -> Topic[ConsumerRecord]:
        """The topic for what can't be processed, kept without end; an app with batched topics
        needs one. Its own batches hold the records as they are.

        `<name>-resolved` notes what was replayed or dropped."""
        self.dead_letters = name
        self._decoders[name] = RawDecoder()
        forever = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        size = {"max.message.bytes": str(DEAD_LETTER_BYTES)}
        self.topic_specs.append(TopicSpec(name, partitions, size | forever))
        compact = {"cleanup.policy": "compact"}
        self.topic_specs.append(TopicSpec(resolutions_topic(name), 1, compact))
        topic: Topic[ConsumerRecord] = Topic(self, topics=(name,), schema=self._schema)
        self.batched[name] = topic
        return topic.holds(Raw(), self, text=text)

    def is_batched(self, topic: str) -> bool:
        """Whether the records of a topic come in batches."""
        return topic in self._decoders

    def decoder(self, topic: str) -> Decoder[Any]:
        """What decodes the records of a batched topic."""
        return self._decoders[topic]

    def writes(self, topic: str) -> None:
        """Say that this worker sends to `topic`: not ready without it, or the right to."""
        self._written.add(topic)
        self.used_topics.add(topic)

    @property
    def written(self) -> set[str]:
        """The topics that this worker sends to; who reads may have dead letters."""
        letters = {self.dead_letters} if self.dead_letters and self.agents else set()
        return self._written | letters

    # -- services -----------------------------------------------------------------------

    @overload
    def each(
        self,
        topic: Topic[V],
        *,
        sends: None = None,
        overlap: int = ...,
        retry: Retry | None = ...,
    ) -> Callable[[Callable[[V], None]], ServiceAgent]: ...

    @overload
    def each(
        self,
        topic: Topic[V],
        *,
        sends: Topic[M],
        overlap: int = ...,
        retry: Retry | None = ...,
    ) -> Callable[[Callable[[V], M | Iterable[M] | None]], ServiceAgent]: ...

    @overload
    def each(
        self,
        topic: Topic[V],
        *,
        sends: tuple[Topic[Any], ...],
        overlap: int = ...,
        retry: Retry | None = ...,
    ) -> Callable[[Callable[[V], Any]], ServiceAgent]: ...

    def each(
        self,
        topic: Topic[V],
        *,
        sends: Sends | None = None,
        overlap: int = 16,
        retry: Retry | None = None,
    ) -> Callable[[Callable[[V], Any]], ServiceAgent]:
        """Make a service of a function: called with each value of `topic`, it returns a message
        for `sends` (or several, or None). With several topics the message's type says to which
        it goes. While some batches wait for Kafka, up to `overlap` are worked on."""
        topics = _tuple(sends or ())

        def declare(function: Callable[[V], Any]) -> ServiceAgent:
            self._check(function, (topic, *topics), is_async=False)
            work = work_on_each(function, topics)
            return self._declare(function, topic, topics, work, overlap, retry)

        return declare

    def batches(
        self,
        topic: Topic[V],
        *,
        sends: Sends = (),
        overlap: int = 16,
        retry: Retry | None = None,
    ) -> Callable[[Callable[[Batch[V]], Awaitable[None]]], ServiceAgent]:
        """Make a service of a coroutine that takes a batch of `topic`: for work that waits, or
        writes. It sends by `await topic.send_all(messages, of=batch)` to the topics in `sends`.
        Up to `overlap` batches are worked on at one time, those that share a key one after the
        other."""
        topics = _tuple(sends)

        def declare(function: Callable[[Batch[V]], Awaitable[None]]) -> ServiceAgent:
            self._check(function, (topic, *topics), is_async=True)
            return self._declare(function, topic, topics, function, overlap, retry)

        return declare

    def _check(
        self, function: Callable[..., Any], topics: Iterable[Any], *, is_async: bool
    ) -> None:
        check_function(function, is_async=is_async)
        for topic in topics:
            check_topic(function, topic, self.batched)

    def _declare(
        self,
        function: Callable[..., Any],
        topic: Topic[Any],
        sends: tuple[Topic[Any], ...],
        work: Work[Any],
        overlap: int,
        retry: Retry | None,
    ) -> ServiceAgent:
        async def run(stream: StreamT[Any]) -> None:
            name = agent.service.name
            await self.deliver(name, stream, agent.work, overlap=overlap, retry=agent.retry)

        run.__doc__ = function.__doc__
        name = function.__name__.replace("_", "-")
        agent: ServiceAgent = self._agent(ServiceAgent, run, name, topic)
        agent.function, agent.work, agent.topic = function, work, topic
        agent.retry = retry or self.retry
        agent.service = self._register(function, agent, [topic.name], sends)
        return agent

    def _agent(self, kind: Any, function: Any, name: Any, channel: Any, **more: Any) -> Any:
        return kind(
            function,
            name=name,
            app=self,
            channel=channel,
            on_error=self._on_agent_error,
            help=function.__doc__,
            **more,
        )

    def _register(
        self,
        function: Any,
        agent: AgentT[Any],
        reads: Iterable[str],
        sends: tuple[Topic[Any], ...],
    ) -> Service:
        if agent.name in self._declared_at:
            raise DeclarationError(
                f"{where(function)}: an agent {agent.name!r} is declared already, "
                f"{self._declared_at[agent.name]}: give it another name"
            )
        self._declared_at[agent.name] = where(function)
        topics = [topic.name for topic in sends]
        service = self.services.declare(agent.name, reads, topics)
        if service.runs:
            # As Faust's own `agent` does.
            self.agents[agent.name] = agent
            self.topics.beacon.add(agent)
            for topic in topics:
                self.writes(topic)
        return service

    # -- Faust's own --------------------------------------------------------------------

    @overload
    def agent(
        self, channel: Topic[V], *, sends: Sends = ..., **options: Any
    ) -> Callable[[Callable[[StreamT[Batch[V]]], Stream]], AgentT[Any]]: ...

    @overload
    def agent(
        self, channel: Any = None, *, sends: Sends = ..., **options: Any
    ) -> Callable[[Callable[[StreamT[Any]], Stream]], AgentT[Any]]: ...

    def agent(
        self, channel: Any = None, *, sends: Sends = (), **options: Any
    ) -> Callable[[Callable[..., Stream]], AgentT[Any]]:
        """A plain Faust agent, on a topic that is not batched; `sends` are the batched topics
        that it sends to. See Faust."""
        name = options.pop("name", None)

        def declare(function: Callable[..., Stream]) -> AgentT[Any]:
            agent: AgentT[Any] = self._agent(
                self.conf.Agent, function, name, channel, **options
            )
            reads = [channel] if isinstance(channel, str) else getattr(channel, "topics", ())
            self._register(function, agent, reads, _tuple(sends))
            return agent

        return declare

    def timer(  # type: ignore[override]
        self, *args: Any, sends: Sends = (), **options: Any
    ) -> Any:
        """See Faust; `sends` are the batched topics that it sends to."""
        usual = super().timer(*args, **options)

        def declare(function: Any) -> Any:
            topics = [topic.name for topic in _tuple(sends)]
            service = self.services.declare(function.__name__, sends=topics)
            if not service.runs:
                return function
            for topic in topics:
                self.writes(topic)
            return usual(function)

        return declare


def _tuple(sends: Sends) -> tuple[Topic[Any], ...]:
    return (sends,) if isinstance(sends, Topic) else sends
