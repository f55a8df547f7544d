"""Sends dead letters again, or drops them, and notes that it was done.

A dead letter is sent first and noted then, each with Kafka's confirmation. Whoever is
interrupted in between sends it twice when it is repeated, to services that bear that; nothing
is noted that was not sent.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError, TopicAuthorizationFailedError

from orderapp.engine.dead_letters.headers import replay_headers
from orderapp.engine.dead_letters.read import DeadLetter, resolution_for
from orderapp.engine.dead_letters.resolutions import (
    Action,
    encode_resolution,
    resolutions_topic,
)
from orderapp.engine.delivery.failure import moment
from orderapp.engine.errors import SendFailedError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.produce_errors import (
    REFUSED,
    TOO_LARGE,
    InvalidRecordError,
    reason_for,
)
from orderapp.engine.kafka.rights import forbidden
from orderapp.engine.kafka.sending import send
from orderapp.engine.observe.texts import text_or_class

#: What is under way at one time, at most, in letters and in bytes.
WINDOW, WINDOW_BYTES = 500, 8 * 1024 * 1024
# For these a topic refuses one record, and may take others.
_REFUSED_ALONE = (*TOO_LARGE, InvalidRecordError, InvalidTimestampError)


class Task(NamedTuple):
    """What is to be done: this letter, for these services."""

    letter: DeadLetter
    services: tuple[str, ...]


@dataclass(frozen=True)
class Addresses:
    """Where a dead letter may be sent: to the topics that the app reads (with their partitions)
    for the services that it has. What headers name besides was not written by a worker."""

    partitions: Mapping[str, Collection[int]]
    services: Collection[str]

    def objection(self, letter: DeadLetter) -> str | None:
        """Why this letter can't be sent again; None: it can."""
        origin = letter.origin
        if origin is None:
            return letter.damage
        if origin.topic not in self.partitions:
            return f"the header 'original-topic' names {origin.topic!r}, which no service reads"
        for name in origin.services:
            if name not in self.services:
                return f"the header 'service' names {name!r}, and there is no such service"
        return None


def windows(tasks: Iterable[Task]) -> Iterable[list[Task]]:
    """Cut tasks into parts that can be under way at one time."""
    window: list[Task] = []
    size = 0
    for task in tasks:
        value = task.letter.record.value
        size += len(value) if value else 0
        if window and (len(window) == WINDOW or size > WINDOW_BYTES):
            yield window
            window, size = [], len(value) if value else 0
        window.append(task)
    if window:
        yield window


class Resolver:
    """Replays and drops the dead letters of one topic; use it with `async with`.

    Its methods return when Kafka has confirmed all, and raise `SendFailedError` when it does
    not, or `FatalError` when it does not allow it. `done` counts what was noted."""

    def __init__(self, cluster: Cluster, topic: str, addresses: Addresses) -> None:
        self._cluster = cluster
        self._topic = topic
        self._addresses = addresses
        self.done = 0

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._cluster.client_options(),
            acks="all",
            request_timeout_ms=20_000,
            max_batch_size=512 * 1024,
            max_request_size=4 * 1024 * 1024,
            # A record of Kafka's full size has grown by its headers, and has to fit in again.
            compression_type="gzip",
        )
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            raise self._failed(error, self._topic) from error
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._producer.stop()

    async def replay(self, tasks: Sequence[Task]) -> list[tuple[Task, str]]:
        """Send letters to where they came from, for these services only.

        Returns those that their topic does not take any more, and why; the others are done."""
        messages = [self._replay(task) for task in tasks]
        results = await self._send_all(messages)
        pairs = list(zip(tasks, results, strict=True))
        await self._note("replayed", [task for task, error in pairs if error is None])
        for message, error in zip(messages, results, strict=True):
            if error is not None and not isinstance(error, _REFUSED_ALONE):
                raise self._failed(error, message.topic) from error
        return [
            (task, f"its topic refuses it: {REFUSED[type(error)]} ({error})")
            for task, error in pairs
            if error is not None
        ]

    async def drop(self, tasks: Sequence[Task]) -> None:
        """Resolution that nothing will be done with these letters."""
        await self._note("dropped", tasks)

    def _replay(self, task: Task) -> "_Message":
        record, origin = task.letter.record, task.letter.origin
        assert origin is not None  # noqa: S101 - `Addresses.objection` was asked
        there = origin.partition in self._addresses.partitions[origin.topic]
        return _Message(
            origin.topic,
            origin.partition if there else None,
            record.key,
            record.value,
            replay_headers(record, task.services),
        )

    async def _note(self, action: Action, tasks: Sequence[Task]) -> None:
        at = moment()
        topic = resolutions_topic(self._topic)
        messages = []
        for letter, services in tasks:
            note = encode_resolution(resolution_for(letter, action, services, at))
            messages.append(_Message(topic, None, str(letter.place).encode(), note, []))
        results = await self._send_all(messages)
        self.done += results.count(None)
        for error in results:
            if error is not None:
                raise self._failed(error, topic) from error

    async def _send_all(self, messages: Sequence["_Message"]) -> list[Exception | None]:
        """Send all at once; the error of each, in their order."""
        results: list[Exception | None] = [None] * len(messages)
        sent: list[tuple[int, asyncio.Future[Any]]] = []
        for index, message in enumerate(messages):
            try:
                sent.append((index, await send(self._producer, **message._asdict())))
            except KafkaError as error:
                results[index] = error
        answers = await asyncio.gather(*(f for _, f in sent), return_exceptions=True)
        for (index, _), answer in zip(sent, answers, strict=True):
            if isinstance(answer, KafkaError):
                results[index] = answer
            elif isinstance(answer, BaseException):
                raise answer
        for index, message in enumerate(messages):
            if isinstance(results[index], TOO_LARGE):
                # Perhaps only together with others.
                results[index] = await self._send_alone(message)
        return results

    async def _send_alone(self, message: "_Message") -> Exception | None:
        try:
            await (await send(self._producer, **message._asdict()))
        except KafkaError as error:
            refusal: Exception = error
            return refusal
        return None

    def _failed(self, error: Exception, topic: str) -> Exception:
        if isinstance(error, TopicAuthorizationFailedError):
            return forbidden("WRITE", "topic", topic)
        refused = type(error) in REFUSED
        text = reason_for(topic, error) if refused else text_or_class(error)
        return SendFailedError(f"Kafka at {self._cluster} did not confirm it: {text}")


class _Message(NamedTuple):
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
