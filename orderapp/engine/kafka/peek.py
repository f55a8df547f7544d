"""Looks into a topic: its newest records, or those from a place or a time on, and not too many.

What comes of it is for people: nothing is committed, and nobody is disturbed."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import ConsumerRecord

from orderapp.engine.kafka.reading import Offsets, TopicReader

#: Bytes of keys and values after which no more is read.
BYTES = 8 * 1024 * 1024
#: By how much more of a partition is read when there were gaps in what was read.
_WIDER = 8


@dataclass(frozen=True)
class Wanted:
    """At most `limit` records: from `offset` of the only partition on, from those on that were
    written at `since` (ms of Unix time) or later, or else the newest."""

    limit: int
    partition: int | None = None
    offset: int | None = None
    since: int | None = None

    @property
    def is_newest(self) -> bool:
        """Whether the end is wanted, and not what follows a beginning."""
        return self.offset is None and self.since is None


class Seen(NamedTuple):
    """What was found: the newest first, or in the order of time. `complete` is false when
    `BYTES` were read and some are missing."""

    records: list[ConsumerRecord]
    complete: bool


async def peek(
    reader: TopicReader, topic: str, wanted: Wanted, begins: Offsets, ends: Offsets
) -> Seen:
    """Read what is wanted of the partitions in `ends`; raises as `TopicReader` does."""
    starts = begins
    if wanted.offset is not None:
        starts = {partition: max(wanted.offset, begins[partition]) for partition in ends}
    elif wanted.since is not None:
        starts = await reader.begins_at(topic, wanted.since)
    bounds = {p: (starts[p], end) for p, end in ends.items() if starts.get(p, end) < end}
    look = _Look(reader, topic, wanted)
    found = await look.read(bounds)
    found.sort(key=lambda r: (r.timestamp, r.partition, r.offset), reverse=wanted.is_newest)
    return Seen(found[: wanted.limit], look.left > 0)


class _Look:
    def __init__(self, reader: TopicReader, topic: str, wanted: Wanted) -> None:
        self._reader = reader
        self._topic = topic
        self._wanted = wanted
        #: Bytes that may still be read.
        self.left = BYTES

    async def read(self, bounds: dict[int, tuple[int, int]]) -> list[ConsumerRecord]:
        """As many records of each partition as are wanted in all, if there are so many."""
        found: dict[int, list[ConsumerRecord]] = {}
        span = self._wanted.limit
        while bounds and self.left > 0:
            windows = {p: self._window(*bound, span) for p, bound in bounds.items()}
            found |= await self._read(windows)
            # Not every offset has a record: of some only the end of a transaction is left.
            bounds = {
                partition: bound
                for partition, bound in bounds.items()
                if windows[partition] != bound
                and len(found.get(partition, ())) < self._wanted.limit
            }
            span *= _WIDER
        return [record for records in found.values() for record in records]

    def _window(self, begin: int, end: int, span: int) -> tuple[int, int]:
        if self._wanted.is_newest:
            return max(begin, end - span), end
        return begin, min(end, begin + span)

    async def _read(
        self, windows: dict[int, tuple[int, int]]
    ) -> dict[int, list[ConsumerRecord]]:
        found: dict[int, list[ConsumerRecord]] = {partition: [] for partition in windows}
        begins = {partition: begin for partition, (begin, _) in windows.items()}
        ends = {partition: end for partition, (_, end) in windows.items()}
        limit = self._wanted.limit
        async with aclosing(self._reader.read(self._topic, ends, begins)) as reading:
            async for partition, records in reading:
                kept = found[partition] + records
                newest = self._wanted.is_newest
                found[partition] = kept[-limit:] if newest else kept[:limit]
                self.left -= sum(len(r.key or b"") + len(r.value or b"") for r in records)
                if self.left <= 0:
                    break
        return found
