"""Reads records whose headers have names that are no UTF-8.

Kafka keeps such names, aiokafka can't decode them, and its error stops the whole fetch: one
record of anybody's would end every worker that gets its partition, again after each restart.
Here what can't be decoded in such a name is shown as `\\xff`, and the record is like others.

Each record is also made in three quarters of the time: aiokafka spends five times as much on
that as on reading it.
"""

import struct
from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy as BatchReader
from aiokafka.record.memory_records import MemoryRecords

#: Base offset, and the bytes that follow; of every batch, whatever its version.
_BATCH_START = struct.Struct(">qi")
#: Without the dataclass's `__init__`, which takes longer than the fields.
_new = object.__new__


class Fetched:
    """What a fetch brought of a partition, and the bytes that it is read from."""

    def __init__(self, data: bytes) -> None:
        records = MemoryRecords(data)
        self.data = data
        self.has_next = records.has_next
        self.next_batch = records.next_batch
        self.size_in_bytes = records.size_in_bytes


class _TolerantText(bytearray):
    """Bytes whose slices decode whatever is in them."""

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = super().__getitem__(key)
        return _TolerantText(found) if isinstance(key, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


class TolerantRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records of a fetch; a batch that aiokafka can't read is read again, tolerantly."""

    next_fetch_offset: int

    def __iter__(self) -> Iterator[ConsumerRecord]:
        # What `__next__` would ask for each record.
        records: Iterator[ConsumerRecord] = self._records_iterator
        return records

    def _consumer_record(self, tp: TopicPartition, record: Any) -> ConsumerRecord:
        if self._key_deserializer or self._value_deserializer:
            return super()._consumer_record(tp, record)
        made = _new(ConsumerRecord)
        made.topic, made.partition, made.offset = tp.topic, tp.partition, record.offset
        made.timestamp, made.timestamp_type = record.timestamp, record.timestamp_type
        made.key, made.value = key, value = record.key, record.value
        made.checksum = record.checksum
        made.serialized_key_size = -1 if key is None else len(key)
        made.serialized_value_size = -1 if value is None else len(value)
        made.headers = tuple(record.headers)
        return made

    def _unpack_records(self) -> Iterator[Any]:
        while True:
            try:
                yield from super()._unpack_records()
            except (UnicodeDecodeError, CorruptRecordException) as error:
                if not _is_about_text(error):
                    raise
            else:
                return
            yield from self._unpack_tolerantly()

    def _unpack_tolerantly(self) -> Iterator[Any]:
        """What is left of the batch that could not be read."""
        batch = _batch_at(self._records.data, self.next_fetch_offset)
        # The place where aiokafka's own code in Python finds the bytes of the records.
        batch._maybe_uncompress()
        batch._buffer = _TolerantText(batch._buffer)
        for record in batch:
            if record.offset >= self.next_fetch_offset:
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)
        self.next_fetch_offset = batch.next_offset


def _is_about_text(error: Exception) -> bool:
    # aiokafka's code in Python wraps what its C code raises.
    return isinstance(error, UnicodeDecodeError) or isinstance(
        error.__cause__, UnicodeDecodeError
    )


def _batch_at(data: bytes, offset: int) -> Any:
    """The first batch that goes beyond an offset."""
    start = 0
    while True:
        _, length = _BATCH_START.unpack_from(data, start)
        end = start + _BATCH_START.size + length
        batch = BatchReader(memoryview(data)[start:end])
        if batch.next_offset > offset:
            return batch
        start = end


def read_any_header() -> None:
    """Let all of aiokafka's consumers read such records."""
    fetcher.MemoryRecords = Fetched
    fetcher.PartitionRecords = TolerantRecords
