"""A topic whose records come in batches: what travels there, and how it is sent.

Other topics are Faust's own (`app.topic`), whose agents get one value at a time.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from operator import attrgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import faust
from aiokafka import ConsumerRecord

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.codec import Codec
from orderapp.engine.observe import trace_headers, tracing
from orderapp.engine.observe.logs import Few, working_for

logger = logging.getLogger(__name__)

M = TypeVar("M")

#: What makes a message's key: the name of a field, or a function.
Key = str | Callable[[Any], bytes]
#: Hears of messages that were sent, and of how many values they follow from.
Told = Callable[[Sequence[M], int], None]


class Sender(Protocol):
    """Sends bytes; see `kafka.producer.Producer.send_all`."""

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[trace_headers.Headers] | None = None,
        timestamps: Sequence[int | None] | None = None,
    ) -> None: ...


class Sent(NamedTuple):
    """A message that was sent, as `testing` shows it."""

    topic: str
    message: Any
    key: bytes
    value: bytes
    partition: int | None
    headers: trace_headers.Headers
    #: In ms of Unix time; None: when it was sent.
    timestamp: int | None


#: Where messages go instead of to Kafka, in tests.
outbox: ContextVar[list[Sent] | None] = ContextVar("outbox", default=None)


class Topic(faust.Topic, Generic[M]):
    """A topic of messages `M`, made by `App.batched_topic`."""

    name: str
    codec: Codec[M]
    #: Makes a message: as quick as it gets, with the fields and types of `M`.
    message: type[M]
    #: For people: what the topic is for, and what its keys are.
    text: str
    key_text: str
    _sender: Sender
    _keys: Callable[[Iterable[M]], list[bytes]] | None = None
    _told: Told[M] | None = None
    _says: Callable[[M], str] | None = None

    def holds(
        self,
        codec: Codec[M],
        sender: Sender,
        *,
        key: Key | None = None,
        told: Told[M] | None = None,
        says: Callable[[M], str] | None = None,
        text: str = "",
    ) -> "Topic[M]":
        """Say what travels here (Faust itself makes topics, and copies them for streams)."""
        self._few, self._says = Few(logger, what=f"sent to {self.topics[0]}"), says
        self.name, self.codec, self.message = self.topics[0], codec, codec.message
        self.text, self._sender, self._told = text, sender, told
        self._keys = None if key is None else _key_maker(key)
        self.key_text = _KEY_TEXT if key is None else _key_text(key)
        return self

    async def send_all(
        self,
        messages: Sequence[M],
        *,
        of: Batch[Any] | None = None,
        at: Iterable[int] | None = None,
        timestamps: Sequence[int | None] | None = None,
        by_key: bool = False,
    ) -> None:
        """Send messages, and return when Kafka has confirmed all of them.

        `of` is the batch whose records they follow from, and `at` the indices of those records,
        one for each message (all of them, in order, if not given). They go to the same
        partition number, in the same trace, with the record's timestamp and, where the topic
        declares no key of its own, its key. `timestamps` (ms of Unix time) replace those; with
        `by_key` the message's key decides the partition, as Kafka's clients do it.

        Raises `TransientError`; within the work of a service it tries again by itself."""
        if messages:
            if of is None:
                await self._send_new(messages, timestamps)
            else:
                await self._send_on(messages, of, at, timestamps, by_key)
        if self._told is not None:
            self._told(messages, len(messages) if of is None else len(of))

    async def send_one(
        self, message: M, *, trace: trace_headers.Headers = (), timestamp: int | None = None
    ) -> str:
        """Send a message that follows from no record; returns the id of its trace, if it has
        one. `trace` is what asked for it, such as a request's headers."""
        key = self.key_of(message)
        with tracing.sending(self.name, key, trace) as headers:
            pairs = [(key, self.codec.encode(message))]
            await self._send([message], None, pairs, [headers], [timestamp])
        if self._told is not None:
            self._told([message], 1)
        return trace_headers.trace_id(headers)

    async def _send_new(
        self, messages: Sequence[M], timestamps: Sequence[int | None] | None
    ) -> None:
        pairs = [(self.key_of(message), self.codec.encode(message)) for message in messages]
        with ExitStack() as stack:
            headers = [stack.enter_context(tracing.sending(self.name, key)) for key, _ in pairs]
            await self._send(messages, None, pairs, headers, timestamps)

    async def _send_on(
        self,
        messages: Sequence[M],
        of: Batch[Any],
        at: Iterable[int] | None,
        timestamps: Sequence[int | None] | None,
        by_key: bool,
    ) -> None:
        records, headers = of.records, tracing.onward(of)
        chosen = None if at is None else [*at]
        if chosen is not None and chosen != [*range(len(records))]:
            records = [records[index] for index in chosen]
            headers = None if headers is None else [headers[index] for index in chosen]
        if timestamps is None:
            timestamps = _timestamps(records)
        keys = self._keys(messages) if self._keys else [record.key for record in records]
        pairs = list(zip(keys, map(self.codec.encode, messages), strict=True))
        partition = None if by_key else of.partition
        await self._send(messages, partition, pairs, headers, timestamps)
        if self._says is not None:
            self._say(self._says, messages, pairs, headers)

    def _say(
        self,
        says: Callable[[M], str],
        messages: Sequence[M],
        pairs: list[tuple[bytes, bytes]],
        headers: list[trace_headers.Headers] | None,
    ) -> None:
        for index in range(self._few.room(len(messages))):
            extra = {
                "key": pairs[index][0].decode(errors="replace"),
                "trace_id": trace_headers.trace_id(headers[index]) if headers else "",
                "service": working_for.get(),
            }
            logger.info("%s", says(messages[index]), extra=extra)

    async def _send(
        self,
        messages: Sequence[M],
        partition: int | None,
        pairs: list[tuple[bytes, bytes]],
        headers: list[trace_headers.Headers] | None,
        timestamps: Sequence[int | None] | None,
    ) -> None:
        box = outbox.get()
        if box is None:
            await self._sender.send_all(self.name, partition, pairs, headers, timestamps)
            return
        for index, (message, (key, value)) in enumerate(zip(messages, pairs, strict=True)):
            own = [] if headers is None else headers[index]
            at = None if timestamps is None else timestamps[index]
            box.append(Sent(self.name, message, key, value, partition, own, at))

    def key_of(self, message: M) -> bytes:
        """The key of a message; TypeError where the topic declares none."""
        if self._keys is None:
            raise TypeError(f"the topic {self.name!r} has no `key`, and this message no record")
        return self._keys([message])[0]


_KEY_TEXT = "that of the record that it follows from"


def _key_text(key: Key) -> str:
    if isinstance(key, str):
        return f"the {key.replace('_', ' ')}"
    return (key.__doc__ or key.__name__).strip()


def _key_maker(key: Key) -> Callable[[Iterable[Any]], list[bytes]]:
    if not isinstance(key, str):
        return lambda messages: [key(message) for message in messages]
    value_of = attrgetter(key)
    # Many at a time, and the usual kind first: a call for each would cost three times as much.
    return lambda messages: [
        b"%d" % value if type(value) is int else str(value).encode()
        for value in map(value_of, messages)
    ]


def _timestamps(records: Iterable[ConsumerRecord]) -> Sequence[int | None]:
    found: list[int] = [record.timestamp for record in records]
    # A clock that is ahead: Kafka refuses times more than an hour in the future.
    now = int(time.time() * 1000)
    if min(found) >= 0 and max(found) <= now:
        return found
    return [at if 0 <= at <= now else None for at in found]
