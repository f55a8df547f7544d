"""Services: what each reads and sends, and the agents that do its work.

One declaration beside a service's function is all that groups, lag, rights and documents need.
What is declared while a service's module is imported belongs to it (`Services.declaring`); a
service that this worker does not run is declared too, and no agent of it is started.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust
from aiokafka import ConsumerRecord

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.topic import Sent, Topic, outbox
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.delivery.settling import Work
from orderapp.engine.errors import FatalError

#: A function of one value; it returns a message, several, or nothing.
Each = Callable[[Any], Any]


class DeclarationError(FatalError):
    """A service is declared wrongly; the text is one line that names the place."""


@dataclass
class Service:
    """A service: which topics it reads and sends to, by their names."""

    name: str
    #: Whether this worker runs it.
    runs: bool = True
    reads: list[str] = field(default_factory=list)
    sends: list[str] = field(default_factory=list)
    #: Topics of which it reads all, apart from its group (`app.follow`).
    follows: list[str] = field(default_factory=list)
    #: Whether one worker of its group does something for all (`app.timer(on_leader=True)`).
    leads: bool = False


class Services:
    """What was declared, by name."""

    def __init__(self, runs: Callable[[str], bool] = lambda _: True) -> None:
        self._runs = runs
        self._declaring: Service | None = None
        self.all: dict[str, Service] = {}

    @contextmanager
    def declaring(self, name: str) -> Iterator[None]:
        """Around the import of a service's module."""
        before, self._declaring = self._declaring, self.service(name)
        try:
            yield
        finally:
            self._declaring = before

    def service(self, name: str) -> Service:
        """The service of this name."""
        return self.all.setdefault(name, Service(name, self._runs(name)))

    @property
    def readers(self) -> dict[str, Service]:
        """Those that read topics, whether they run here or in other workers."""
        return {name: service for name, service in self.all.items() if service.reads}

    @property
    def is_running(self) -> bool:
        """Whether what is declared now is run by this worker."""
        return self._declaring is None or self._declaring.runs

    def declare(
        self,
        agent: str,
        reads: Iterable[str] = (),
        sends: Iterable[str] = (),
        follows: Iterable[str] = (),
    ) -> Service:
        """Note what an agent (or a timer) of the present service reads and sends. Outside of
        any service's module it is a service of its own, which runs."""
        service = self._declaring or self.all.setdefault(agent, Service(agent))
        lists = (reads, service.reads), (sends, service.sends), (follows, service.follows)
        for names, known in lists:
            known += [name for name in names if name not in known]
        return service


class ServiceAgent(faust.Agent):
    """A Faust agent that does a service's work; called with a value (or a batch) it is the
    function that was decorated."""

    function: Callable[..., Any]
    work: Work[Any]
    topic: Topic[Any]
    service: Service
    retry: Retry

    def __call__(self, *values: Any, **options: Any) -> Any:
        """The function's result; without a value, what Faust calls to start an actor."""
        return self.function(*values) if values else super().__call__(**options)

    def test_context(self, *args: Any, **options: Any) -> Any:
        """See Faust: `await agent.put(value)` does the work on that value, without Kafka, and
        `agent.results` holds the messages that followed from it."""
        return super().test_context(*args, fun=self._one_by_one, **options)

    async def _one_by_one(self, stream: Any) -> AsyncIterator[list[Any]]:
        async for event in stream.events():
            sent: list[Sent] = []
            token = outbox.set(sent)
            try:
                await self.work(_batch_of(self.topic.name, event))
            finally:
                outbox.reset(token)
            yield [one.message for one in sent]


def _batch_of(topic: str, event: Any) -> Batch[Any]:
    message = event.message
    timestamp = int(message.timestamp * 1000)
    record: ConsumerRecord = ConsumerRecord(
        *(topic, message.partition, message.offset, timestamp, 0),
        *(message.key, None, None, 0, 0, tuple((message.headers or {}).items())),
    )
    return Batch(topic, message.partition, [event.value], [record])


# -- functions of one value ---------------------------------------------------------------


def work_on_each(function: Each, topics: Sequence[Topic[Any]]) -> Work[Any]:
    """The work on a batch that calls `function` with each value, and sends what it returns."""
    route = {kind: topic for topic in topics for kind in _kinds(topic)}

    async def work(batch: Batch[Any]) -> None:
        # In C where it can be: most values are followed by nothing, the others by one message.
        results = list(map(function, batch.values))
        at = [index for index, result in enumerate(results) if result is not None]
        messages = [results[index] for index in at]
        if len(topics) == 1 and route.keys() >= set(map(type, messages)):
            await topics[0].send_all(messages, of=batch, at=at)
        else:
            await sort_out(batch, messages, at)

    async def sort_out(batch: Batch[Any], results: Sequence[Any], at: Sequence[int]) -> None:
        made: dict[Topic[Any], tuple[list[Any], list[int]]] = {t: ([], []) for t in topics}
        for index, result in zip(at, results, strict=True):
            for message in (result,) if type(result) in route else _several(result):
                topic = route.get(type(message))
                if topic is None:
                    raise _no_message(function, message, topics)
                made[topic][0].append(message)
                made[topic][1].append(index)
        for topic, (messages, indices) in made.items():
            await topic.send_all(messages, of=batch, at=indices)

    return work


def _kinds(topic: Topic[Any]) -> set[type[Any]]:
    return {topic.message, topic.codec.record}


def _several(result: Any) -> Iterable[Any]:
    if isinstance(result, Iterable) and not isinstance(result, (str, bytes, dict)):
        return result
    return (result,)


def _no_message(function: Each, message: Any, topics: Sequence[Topic[Any]]) -> TypeError:
    allowed = " or ".join(topic.codec.record.__name__ for topic in topics) or "nothing"
    name = getattr(function, "__name__", "a service's function")
    return TypeError(f"{name} returned a {type(message).__name__}, and not {allowed}")


# -- what may be declared -------------------------------------------------------------------


def check_topic(function: Callable[..., Any], topic: Any, known: Iterable[str]) -> None:
    """Raise `DeclarationError` unless this is a topic whose records come in batches."""
    if not isinstance(topic, Topic):
        name = topic if isinstance(topic, str) else getattr(topic, "topics", [topic])[0]
        raise DeclarationError(
            f"{where(function)} names the topic {name!r}: give one that was made by "
            f"`app.batched_topic` ({', '.join(known)})"
        )


def check_function(function: Callable[..., Any], *, is_async: bool) -> None:
    """Raise `DeclarationError` unless it takes one argument, and is a coroutine or not."""
    wanted = "async def work(batch)" if is_async else "def rule(value)"
    if inspect.iscoroutinefunction(function) != is_async or inspect.isasyncgenfunction(
        function
    ):
        other = "`app.each` for a function" if is_async else "`app.batches` for a coroutine"
        raise DeclarationError(f"{where(function)} is not `{wanted}`: use {other}")
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise DeclarationError(f"{where(function)} is not `{wanted}`: {error}") from None


def where(function: Callable[..., Any]) -> str:
    """`services/watch.py:12: watch`, for an error."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", repr(function))
    if code is None:
        return name
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name}:{code.co_firstlineno}: {name}"
