"""Dead letters as a whole: which are open, and what was done with the others.

Nothing is ever taken out of the dead-letter topic. What was replayed or dropped is noted in a
compacted topic beside it: `<partition>:<offset>` -> `Resolution`. One can be done for one of
its services and open for another.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from aiokafka import ConsumerRecord

from orderapp.engine.dead_letters.headers import DamagedError, Origin, read_headers
from orderapp.engine.dead_letters.resolutions import (
    Action,
    Place,
    Resolution,
    read_resolution,
    resolutions_topic,
)
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.reading import MAX_RECORDS, TopicReader
from orderapp.engine.observe.times import moment_of, parse_time

#: `dropped`: all was done, and for one of its services at least it was dropped.
State = Literal["open", "replayed", "dropped"]


class Resolvable:
    """What follows from the services of a dead letter and from what was done with it."""

    __slots__ = ()
    resolution: Resolution | None

    if TYPE_CHECKING:  # a dataclass would take it for its field's default

        @property
        def services(self) -> tuple[str, ...]: ...

    @property
    def open_for(self) -> tuple[str, ...]:
        """Those of them for which nothing was done yet."""
        if self.resolution is None:
            return self.services
        return tuple(name for name in self.services if self.resolution.action_for(name) is None)

    @property
    def is_open(self) -> bool:
        """Whether something is left to do."""
        return self.resolution is None or bool(self.open_for)

    @property
    def state(self) -> State:
        """What became of it."""
        if self.is_open or self.resolution is None:
            return "open"
        actions = [self.resolution.action_for(name) for name in self.services]
        return "dropped" if "dropped" in (actions or [self.resolution.action]) else "replayed"

    def state_for(self, service: str | None) -> State:
        """What became of it for one of its services; None: for all of them."""
        if service is None:
            return self.state
        return (self.resolution and self.resolution.action_for(service)) or "open"


@dataclass(frozen=True, slots=True)
class DeadLetter(Resolvable):
    """A dead letter, what its headers say, and what was done with it."""

    record: ConsumerRecord
    #: None: the headers are damaged, and `damage` says how.
    origin: Origin | None
    damage: str | None = None
    resolution: Resolution | None = None

    @classmethod
    def of(cls, record: ConsumerRecord, resolution: Resolution | None = None) -> Self:
        """Read the headers of `record`."""
        if resolution is not None and not resolution.is_about(record.timestamp):
            resolution = None
        try:
            return cls(record, read_headers(record.headers or ()), None, resolution)
        except DamagedError as error:
            return cls(record, None, str(error), resolution)

    @property
    def place(self) -> Place:
        """Where it lies."""
        return Place(self.record.partition, self.record.offset)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that could not process it; none are known of a damaged one."""
        return self.origin.services if self.origin else ()

    @property
    def error(self) -> str:
        """What went wrong, as it is listed and looked for."""
        if self.origin is None:
            return f"damaged: {self.damage}"
        return f"{self.origin.error_class}: {self.origin.error_text}"

    @property
    def last_failure(self) -> datetime:
        """When it failed last; of a damaged one, when it was written."""
        if self.origin is None:
            return moment_of(self.record.timestamp)
        return parse_time(self.origin.last_failure, dates=True)


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


class DeadLetters:
    """The dead letters of a topic as they were at the time of `open`: what fails again while
    they are read does not come along."""

    def __init__(self, reader: TopicReader, topic: str, spans: list[Span]) -> None:
        self._reader = reader
        self._topic = topic
        #: What there is, as it is read.
        self.spans = spans
        self._resolutions: dict[int, dict[int, Resolution]] = defaultdict(dict)

    @classmethod
    async def open(cls, reader: TopicReader, topic: str) -> Self:
        """Find the ends of the topic, and read the resolutions. Raises as the reader does."""
        begins, ends = await reader.begins(topic), await reader.ends(topic)
        letters = cls(reader, topic, [Span(p, begins[p], ends[p]) for p in sorted(ends)])
        await letters._read_resolutions(resolutions_topic(topic))
        return letters

    async def read(
        self, spans: Iterable[Span] | None = None
    ) -> AsyncIterator[list[DeadLetter]]:
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
            resolutions = self._resolutions[partition]
            async for _, records in self._reader.read(
                self._topic, {partition: end}, {partition: begin}
            ):
                yield [
                    DeadLetter.of(record, resolutions.get(record.offset)) for record in records
                ]

    async def _read_resolutions(self, topic: str) -> None:
        if not self._reader.has(topic):
            return  # a worker of an earlier version made the other one
        async for _, records in self._reader.read(topic):
            for record in records:
                self._remember(record)

    def _remember(self, record: ConsumerRecord) -> None:
        read = read_resolution(record)
        if read is None:
            return
        place, resolution = read
        if resolution is None:
            self._resolutions[place.partition].pop(place.offset, None)
        else:
            self._resolutions[place.partition][place.offset] = resolution


def resolution_for(
    letter: DeadLetter, action: Action, services: Iterable[str], at: str
) -> Resolution:
    """That `action` was done with `letter` for `services`, besides those before."""
    if letter.origin is None:
        return Resolution(action, at, None, letter.record.timestamp)
    done, before = {*services}, letter.resolution
    actions = {
        name: action if name in done else before and before.action_for(name)
        for name in letter.services
    }
    service = ",".join(name for name, what in actions.items() if what)
    dropped = ",".join(name for name, what in actions.items() if what == "dropped")
    return Resolution(action, at, service, letter.record.timestamp, dropped)
