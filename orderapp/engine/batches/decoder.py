"""Decodes the records of a topic, many at a time, and tells those that can't be."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.codec import Codec
from orderapp.engine.errors import RecordError

V = TypeVar("V")

#: Called with each decoded value and its record; returns the value to use (the same, as a
#: rule), or raises ValueError to reject the record. It is code of the app's, so that decoding
#: may raise anything: that costs the one record, and neither its neighbours nor the worker.
Complete = Callable[[V, ConsumerRecord], V]


class Decoder(Generic[V]):
    """Turns the records of one topic into values."""

    def __init__(self, codec: Codec[V], complete: Complete[V] | None = None) -> None:
        self._decode, self._explain = codec.decode, codec.explain
        self._complete = complete

    def one(self, record: ConsumerRecord) -> V:
        """Decode one record; raise what says what is wrong with it."""
        if record.key is None:
            raise ValueError("the record has no key")
        if record.value is None:
            raise ValueError("the record has no value")
        try:
            value: V = self._decode(record.value)
        except Exception as error:
            raise self._explain(record.value, error) from error
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
        except Exception:
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
            except Exception as error:
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
