"""Dead letters as a whole: which are open, and what was done with the others.

Nothing is ever taken out of the dead-letter topic. What was replayed or dropped is noted in a
compacted topic beside it: `<partition>:<offset>` -> `Note`. A letter can be done for one of its
services and open for another.
"""

import logging
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Self

import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.dead_letters import DamagedError, Origin, read_headers
from orderapp.engine.errors import FatalError
from orderapp.engine.reading import MAX_RECORDS, TopicReader

logger = logging.getLogger(__name__)

Action = Literal["replayed", "dropped"]

#: The last one that Python knows, in ms; a record may hold a later one.
_LAST_MOMENT = 253_402_300_799_000

_PLACE = re.compile(r"([0-9]{1,9})[:@]([0-9]{1,18})")


class Place(NamedTuple):
    """Where a dead letter lies in its topic."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `3:17` or `3@17`; ValueError."""
        match = _PLACE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no place: give PARTITION:OFFSET, such as 3:17")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Note(msgspec.Struct, frozen=True, gc=False):
    """What was done with a dead letter."""

    #: The last thing that was done, and when (ISO 8601).
    action: Action
    at: str
    #: The services that it is done for, separated by commas; None: all.
    service: str | None = None
    #: The dead letter's own timestamp. Another one at its place (the topic was made anew) is
    #: another dead letter.
    timestamp: int | None = None

    def is_about(self, record: ConsumerRecord) -> bool:
        """Whether it was written for this dead letter."""
        return self.timestamp is None or bool(self.timestamp == record.timestamp)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that it names."""
        return tuple(self.service.split(",")) if self.service else ()


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, what its headers say, and what was done with it."""

    record: ConsumerRecord
    #: None: the headers are damaged, and `damage` says how.
    origin: Origin | None
    damage: str | None = None
    note: Note | None = None

    @classmethod
    def of(cls, record: ConsumerRecord, note: Note | None = None) -> Self:
        """Read the headers of `record`."""
        if note is not None and not note.is_about(record):
            note = None
        try:
            return cls(record, read_headers(record.headers or ()), None, note)
        except DamagedError as error:
            return cls(record, None, str(error), note)

    @property
    def place(self) -> Place:
        """Where it lies."""
        return Place(self.record.partition, self.record.offset)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that could not process it; none are known of a damaged one."""
        return self.origin.services if self.origin else ()

    @property
    def open_for(self) -> tuple[str, ...]:
        """Those of them for which nothing was done yet."""
        if self.note is None:
            return self.services
        if self.note.service is None:
            return ()
        return tuple(name for name in self.services if name not in self.note.services)

    @property
    def is_open(self) -> bool:
        """Whether something is left to do."""
        return bool(self.open_for) if self.origin else self.note is None

    @property
    def last_failure(self) -> datetime:
        """When it failed last; of a damaged one, when it was written."""
        if self.origin is None:
            moment = min(max(self.record.timestamp, 0), _LAST_MOMENT)
            return datetime.fromtimestamp(moment / 1000, UTC)
        moment = datetime.fromisoformat(self.origin.last_failure)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Span(NamedTuple):
    """Offsets of one partition, from `begin` up to and without `end`."""

    partition: int
    begin: int
    end: int


def spans_of(places: Iterable[Place]) -> list[Span]:
    """As few spans as make sense that contain these places: what lies between two of them is
    read faster than the second one is looked for."""
    spans: list[Span] = []
    for partition, offset in sorted(places):
        last = spans[-1] if spans else None
        if last and last.partition == partition and offset - last.end < MAX_RECORDS:
            spans[-1] = last._replace(end=offset + 1)
        else:
            spans.append(Span(partition, offset, offset + 1))
    return spans


class Letters:
    """The dead letters of a topic as they were at the time of `open`: what fails again while
    they are read does not come along."""

    def __init__(self, reader: TopicReader, topic: str, spans: list[Span]) -> None:
        self._reader = reader
        self._topic = topic
        #: What there is, in the order in which it is read.
        self.spans = spans
        self._notes: dict[int, dict[int, Note]] = defaultdict(dict)

    @classmethod
    async def open(cls, reader: TopicReader, topic: str) -> Self:
        """Find the ends of the topic, and read the notes. Raises as the reader does."""
        begins, ends = await reader.begins(topic), await reader.ends(topic)
        letters = cls(reader, topic, [Span(p, begins[p], ends[p]) for p in sorted(ends)])
        await letters._read_notes(notes_topic(topic))
        return letters

    async def read(self, spans: Iterable[Span] | None = None) -> AsyncIterator[list[Letter]]:
        """Yield the dead letters in `spans` (default: all), one partition after the other."""
        there = {span.partition: span for span in self.spans}
        wanted = self.spans if spans is None else list(spans)
        for partition, _, _ in wanted:
            if partition not in there:
                raise FatalError(
                    f"the topic {self._topic!r} has no partition {partition}: "
                    f"it has {min(there)} to {max(there)}"
                )
        for partition, begin, end in wanted:
            begin, end = max(begin, there[partition].begin), min(end, there[partition].end)
            notes = self._notes[partition]
            async for _, records in self._reader.read(
                self._topic, {partition: end}, {partition: begin}
            ):
                yield [Letter.of(record, notes.get(record.offset)) for record in records]

    async def _read_notes(self, topic: str) -> None:
        if not self._reader.has(topic):
            return  # a worker of an earlier version made the other one
        async for _, records in self._reader.read(topic):
            for record in records:
                self._remember(record)

    def _remember(self, record: ConsumerRecord) -> None:
        try:
            place = Place.parse((record.key or b"").decode())
            note = _decode(record.value) if record.value is not None else None
        except ValueError:  # also msgspec's and Unicode's
            logger.warning(
                "%s[%d]@%d is no note of a dead letter: it counts for nothing",
                record.topic,
                record.partition,
                record.offset,
            )
            return
        if note is None:  # taken back by hand
            self._notes[place.partition].pop(place.offset, None)
        else:
            self._notes[place.partition][place.offset] = note


def notes_topic(topic: str) -> str:
    """The topic of the notes about the dead letters of `topic`."""
    return f"{topic}-resolved"


def note_for(letter: Letter, action: Action, services: Iterable[str], at: str) -> Note:
    """The note that `action` was done with `letter` for `services`, besides those before."""
    service = None
    if letter.origin is not None:
        before = letter.note.services if letter.note else ()
        done = {*before, *services}
        service = ",".join(name for name in letter.services if name in done)
    return Note(action, at, service, letter.record.timestamp)


_decoder = msgspec.json.Decoder(Note)
encode_note = msgspec.json.Encoder().encode


def _decode(value: bytes) -> Note:
    note = _decoder.decode(value)
    # A hundred thousand of them share a few texts.
    service = note.service and sys.intern(note.service)
    return Note(note.action, sys.intern(note.at), service, note.timestamp)
