"""Sums of slices of time, of which each is counted again when it may have changed.

Where the index does not add up by itself (Community Edition), counting costs some 19 µs an
entry: all of ten million orders would take seven minutes. So the entries of each type are
counted in slices of Kafka's time, each small enough for one short look. New documents come into
the last slice, which is counted each time. Some come late (a service was behind, a dead letter
was replayed): so the others are counted again as well, each when the time since its end has
doubled. A document that comes late is in the totals after as long again, and a slice of a year
ago was counted some twenty times in all.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

TYPES = ("order", "alert", "payment")
#: The end of the last slice of each type (ms of Unix time).
FOREVER = 2**53
#: Seconds after its end from which a slice is counted less and less often.
YOUNG = 10.0

#: Country and status.
Group = tuple[str, str | None]


@dataclass
class Sums:
    """What a slice has: documents and their amounts by group, and documents by span of 10 s."""

    groups: dict[Group, tuple[int, float]] = field(default_factory=dict)
    #: None where nobody asked for them.
    spans: dict[int, int] | None = None

    @property
    def documents(self) -> int:
        """How many index entries it took."""
        return sum(documents for documents, _ in self.groups.values())


@dataclass
class Slice:
    """The documents of a type with timestamps from `start` to before `end` (ms)."""

    type: str
    start: int
    end: int = FOREVER
    #: When it was counted (Unix time in s); None: not yet.
    counted: float | None = None
    sums: Sums = field(default_factory=Sums)

    @property
    def is_last(self) -> bool:
        """Whether new documents come into it."""
        return self.end == FOREVER

    def lateness(self, now: float, since: int) -> float:
        """How urgent it is to count it (again): from 1 on it is due."""
        if self.counted is None or (self.sums.spans is None and self.end > since * 1000):
            return float("inf")
        if self.is_last:
            return 1e9
        return (now - self.counted) / max(self.counted - self.end / 1000, YOUNG)


class Slices:
    """All slices: for each type they cover all of time, without a gap."""

    def __init__(self) -> None:
        self._slices = [Slice(kind, 0) for kind in TYPES]

    @property
    def is_complete(self) -> bool:
        """Whether every slice was counted."""
        return all(s.counted is not None for s in self._slices)

    @property
    def documents(self) -> int:
        """How many were counted so far."""
        return sum(s.sums.documents for s in self._slices)

    def due(self, since: int) -> list[Slice]:
        """Which ones to count now, the most urgent first; `since`: from when on by spans."""
        now = time.time()
        ranked = [(s.lateness(now, since), s) for s in self._slices]
        ranked.sort(key=lambda ranked: (-ranked[0], ranked[1].start))
        return [s for lateness, s in ranked if lateness >= 1.0]

    def put(self, old: Slice, end: int, sums: Sums, counted: float) -> None:
        """Take what was counted of a slice up to `end` (ms); what is behind it is a new one."""
        if end < old.end:
            self._slices.append(Slice(old.type, end, old.end))
        old.end, old.sums, old.counted = end, sums, counted

    def __iter__(self) -> Iterator[Slice]:
        return iter(self._slices)
