"""What an author declares: topics, services, and what else of Faust they use."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, TypeVar, overload

from faust.types import AgentT, StreamT

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.topic import Topic
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.delivery.settling import Work
from orderapp.engine.kafka.following import Follower
from orderapp.engine.services import (
    DeclarationError,
    Service,
    ServiceAgent,
    check_function,
    check_topic,
    where,
    work_on_each,
)
from orderapp.engine.topics_app import TopicsApp

V = TypeVar("V")
M = TypeVar("M")

#: The batched topics that something sends to.
Sends = Topic[Any] | tuple[Topic[Any], ...]
Stream = Awaitable[Any] | AsyncIterable[Any]


class DeclaringApp(TopicsApp):
    """An app with services, declared beside their functions."""

    def __init__(self, group: str, **options: Any) -> None:
        super().__init__(group, **options)
        self._declared_at: dict[str, str] = {}
        #: What is started when Kafka is there, before anything else is read.
        self.followers: list[Follower] = []

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
        service = self.declare(agent.name, reads, sends)
        if service.runs:
            # As Faust's own `agent` does.
            self.agents[agent.name] = agent
            self.topics.beacon.add(agent)
        return service

    def declare(self, name: str, reads: Iterable[str] = (), sends: Sends = ()) -> Service:
        """Say what the present service (without one, that of this name) reads and sends, where
        no decorator does."""
        topics = [topic.name for topic in _tuple(sends)]
        service = self.services.declare(name, reads, topics)
        if service.runs:
            for topic in topics:
                self.writes(topic)
        return service

    def follow(self, follower: Follower) -> None:
        """Say that the present service needs all of a topic: it is read to its end before this
        worker reads anything else, and followed from then on."""
        service = self.services.declare(follower.topic, follows=[follower.topic])
        if service.runs and follower not in self.followers:
            self.followers.append(follower)
            self.used_topics.add(follower.topic)
            self.topic_listeners.append(follower.notice)

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
            service = self.declare(function.__name__, sends=sends)
            service.leads |= options.get("on_leader", False)
            return usual(function) if service.runs else function

        return declare


def _tuple(sends: Sends) -> tuple[Topic[Any], ...]:
    return (sends,) if isinstance(sends, Topic) else sends
