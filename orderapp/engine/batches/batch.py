"""Batches: one turn of an agent for all that has arrived of one partition.

Faust spends an event, two tasks and three queue hops on every record. Here a chunk of records
passes all of that at once: the scheduler hands out one list for each partition, and the
schema turns it into one event whose value is a `Batch`. A batch is what has arrived, in
order; it is never waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import faust
import msgspec
from aiokafka import ConsumerRecord
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from faust.types.tuples import Message

from orderapp.engine.batches.framing import FRAMINGS, Framing, explained, unframed
from orderapp.engine.batches.records import is_for, is_replay
from orderapp.engine.batches.twins import twin
from orderapp.engine.errors import RecordError

V = TypeVar("V")

#: What decoding may raise: anything, since `complete` is code of the app's. It costs that one
#: record, and neither its neighbours nor the worker.
BAD_RECORD = Exception

#: Called with each decoded value and its record; returns the value to use (the same, as a
#: rule), or raises ValueError to reject the record.
Complete = Callable[[V, ConsumerRecord], V]
#: Takes records of a delivery that can't be decoded, with the reasons; done when they are safe.
Reject = Callable[[Message, list[tuple[ConsumerRecord, Exception]]], asyncio.Task[None]]


@dataclass(frozen=True, slots=True)
class Batch(Generic[V]):
    """Records of one partition, in order. `values[i]` was decoded from `records[i]`."""

    topic: str
    partition: int
    values: list[V]
    records: list[ConsumerRecord]
    #: Which attempt this is, from 1.
    attempt: int = 1
    #: The services that are through with it.
    done_by: set[str] = field(default_factory=set, compare=False)
    #: Records that came with these and met a bug of the app's while they were decoded; each
    #: value is what decodes it anew. They are work like any other, which fails.
    bugs: "Batch[Callable[[], V]] | None" = field(default=None, init=False, compare=False)
    #: Under way beside it, of records that came with these and can't be decoded: the delivery
    #: is not done before. It is not waited for while reading, which would stop all partitions.
    burial: asyncio.Task[None] | None = field(default=None, init=False, compare=False)
    #: Whether any of its records has headers.
    headed: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        # A list is quicker than asking one by one.
        headers = [record.headers for record in self.records]
        object.__setattr__(self, "headed", any(headers))

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[V]:
        return iter(self.values)

    def part(self, start: int, stop: int) -> "Batch[V]":
        """The records from `start` up to and without `stop`."""
        return Batch(
            self.topic,
            self.partition,
            self.values[start:stop],
            self.records[start:stop],
            self.attempt,
        )

    def again(self, indices: Iterable[int]) -> "Batch[V]":
        """The records with these indices, for the next try."""
        chosen = list(indices)
        return Batch(
            self.topic,
            self.partition,
            [self.values[index] for index in chosen],
            [self.records[index] for index in chosen],
            self.attempt + 1,
        )

    def decoded(self: "Batch[Callable[[], V]]") -> "Batch[V]":
        """What `bugs` holds, decoded anew; raises what that raises."""
        values = [decode() for decode in self.values]
        return Batch(self.topic, self.partition, values, self.records, self.attempt)

    def addressed_to(self, service: str) -> "Batch[V]":
        """The records that `service` has to process: all but replays for others."""
        if not self.headed or not any(is_replay(record.headers) for record in self.records):
            return self
        pairs = [
            (value, record)
            for value, record in zip(self.values, self.records, strict=True)
            if is_for(record, service)
        ]
        return Batch(self.topic, self.partition, [v for v, _ in pairs], [r for _, r in pairs])

    def runs(self) -> Iterator["Batch[V]"]:
        """Cut the batch so that no key occurs twice in one part; as a rule, one part."""
        start, seen = 0, set[bytes]()
        for index, record in enumerate(self.records):
            if record.key in seen:
                yield self.part(start, index)
                start, seen = index, set()
            seen.add(record.key)
        yield self.part(start, len(self)) if start else self


class BatchScheduler(DefaultSchedulingStrategy):
    """Hands out a list of records for each partition of a batched topic.

    Topics that are not batched pass through record by record."""

    def __init__(self, batched: Mapping[str, object]) -> None:
        self._batched = batched

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield `(tp, list of records)` for batched topics, `(tp, record)` for others."""
        single = {}
        for tp, chunk in records.items():
            if tp.topic in self._batched:
                yield tp, chunk
            else:
                single[tp] = chunk
        if single:
            yield from super().iterate(single)


class Decoder(Generic[V]):
    """Turns the records of one topic into values of one Record type (its fast twin)."""

    def __init__(
        self,
        record: type[V],
        complete: Complete[V] | None = None,
        framing: Framing | None = None,
    ) -> None:
        if framing is not None and framing not in FRAMINGS:
            raise ValueError(f"framing={framing!r} is not known: {', '.join(FRAMINGS)}")
        decode = msgspec.json.Decoder(twin(record)).decode  # type: ignore[type-var]
        self._decode = decode if framing is None else lambda value: decode(unframed(value))
        self._framing = framing
        self._complete = complete

    def one(self, record: ConsumerRecord) -> V:
        """Decode one record; raise one of `BAD_RECORD`, which says what is wrong with it."""
        if record.key is None:
            raise ValueError("the record has no key")
        if record.value is None:
            raise ValueError("the record has no value")
        try:
            value: V = self._decode(record.value)
        except BAD_RECORD as error:
            raise explained(record.value, error, self._framing) from error
        if self._complete:
            value = self._complete(value, record)
            if value is None:
                raise TypeError("`complete` returned None instead of a value")
        return value

    def batch(
        self, records: list[ConsumerRecord]
    ) -> tuple[Batch[V], list[tuple[ConsumerRecord, Exception]]]:
        """Decode what can be decoded; the second part is what can't, each with its error."""
        first = records[0]
        try:
            values = self._all(records)
        except BAD_RECORD:
            values = None
        # One that ends a `map` by StopIteration raises nothing; None is no value.
        if values is None or len(values) != len(records) or not all(values):
            return self._sort_out(records)
        return Batch(first.topic, first.partition, values, records), []

    def _all(self, records: list[ConsumerRecord]) -> list[V] | None:
        """What `one` does, one pass for each step: that is the quickest in Python."""
        if None in [record.key for record in records]:
            return None
        decode, complete = self._decode, self._complete
        values = [decode(record.value) for record in records]
        return list(map(complete, values, records)) if complete else values

    def _sort_out(
        self, records: list[ConsumerRecord]
    ) -> tuple[Batch[V], list[tuple[ConsumerRecord, Exception]]]:
        values: list[V] = []
        kept: list[ConsumerRecord] = []
        bad: list[tuple[ConsumerRecord, Exception]] = []
        for record in records:
            try:
                values.append(self.one(record))
            except BAD_RECORD as error:
                bad.append((record, error))
            else:
                kept.append(record)
        return Batch(records[0].topic, records[0].partition, values, kept), bad


class RawDecoder(Decoder[ConsumerRecord]):
    """Leaves records as they are, for topics whose values may be anything."""

    def __init__(self) -> None:
        """Nothing to prepare."""

    def one(self, record: ConsumerRecord) -> ConsumerRecord:
        """The record."""
        return record

    def _all(self, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        return records


def is_records_fault(error: Exception) -> bool:
    """Whether what decoding raised lies in the record. If not it may meet every record."""
    return isinstance(error, (ValueError, msgspec.MsgspecError, RecursionError, RecordError))


def again(
    decoder: Decoder[V], records: list[ConsumerRecord]
) -> "Batch[Callable[[], V]] | None":
    """Records of one partition that are still to be decoded."""
    if not records:
        return None
    values: list[Callable[[], V]] = [partial(decoder.one, record) for record in records]
    return Batch(records[0].topic, records[0].partition, values, records)


class BatchSchema(faust.Schema[Any, Any]):
    """Decodes a list of records into one event whose value is a `Batch`.

    One schema serves all batched topics of an app."""

    def __init__(self, decoders: Mapping[str, Decoder[Any]], reject: Reject) -> None:
        super().__init__()
        self._decoders = decoders
        self._reject = reject

    def compile(self, app: faust.App, **_: Any) -> Callable[..., Awaitable[Any]]:  # type: ignore[override]
        """The function that Faust calls for each message: a list of records, as handed out by
        `BatchScheduler`."""
        decoders, reject, create_event = self._decoders, self._reject, app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> Any:
            # Faust (its Cython part) decodes a message again for each agent of its topic. The
            # agents share the first one's batch, so that bad records are rejected once.
            value: Any = message.value
            if not isinstance(value, Batch):
                decoder = decoders[message.topic]
                value, bad = decoder.batch(value)
                if bad:
                    bugs = [record for record, error in bad if not is_records_fault(error)]
                    bad = [pair for pair in bad if is_records_fault(pair[1])]
                    object.__setattr__(value, "bugs", again(decoder, bugs))
                if bad:
                    object.__setattr__(value, "burial", reject(message, bad))
                message.value = value
            return create_event(None, value, None, message)

        return decode
