"""Totals from what the query service counts, a slice of time at a time.

What another program has put in the place of one of our documents is left out where its fields
are of other types.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from orderapp.store import Activity, CountryStats, Stats
from orderapp.store.couchbase.slices import Slice, Slices, Sums
from orderapp.store.couchbase.statements import COUNTS, EDGE, SPANS

if TYPE_CHECKING:
    from orderapp.store.couchbase.client import Client

T = TypeVar("T")

#: Seconds that a look is to take, at most, and after which it is given up.
LOOK, LOOK_LIMIT = 0.5, 5.0
#: Seconds of counting after which a round is over.
ROUND = 0.5
#: Entries of a slice: at first, and the fewest and the most that it may become.
ENTRIES, FEWEST, MOST = 20_000, 1_000, 500_000


class _Sum(msgspec.Struct):
    country: str
    documents: int
    status: str | None = None
    amount: float | None = None
    # In spans of 10 s.
    span: Annotated[float, msgspec.Meta(ge=0, lt=2**53)] | None = None


#: What of `CountryStats` a group counts for.
_COLUMNS = {
    ("order", None): "orders",
    ("alert", None): "alerts",
    ("payment", "PAID"): "paid",
    ("payment", "DECLINED"): "declined",
}


class Totals:
    """Counts in rounds; what was counted before is kept for the next."""

    def __init__(self) -> None:
        self._slices = Slices()
        self._entries = ENTRIES

    @property
    def is_complete(self) -> bool:
        """Whether everything was counted at least once."""
        return self._slices.is_complete

    @property
    def documents(self) -> int:
        """How many were counted so far."""
        return self._slices.documents

    def advance(self, client: "Client", since: int) -> None:
        """One round: count the slices that are due for half a second. Called in a thread."""
        end = time.monotonic() + ROUND
        for slice_ in self._slices.due(since):
            self._look(client, slice_, since)
            if time.monotonic() > end:
                break

    def stats(self, since: int) -> Stats:
        """The sums of all slices, with the activity since `since` (s of Unix time)."""
        countries: dict[str, dict[str, Any]] = {}
        spans: dict[int, dict[str, int]] = {}
        for slice_ in self._slices:
            _add_groups(countries, slice_)
            for span, documents in (slice_.sums.spans or {}).items():
                if span >= since // 10 and slice_.type in ("order", "alert"):
                    counts = spans.setdefault(span, {})
                    counts[slice_.type] = counts.get(slice_.type, 0) + documents
        found = [CountryStats(country, **total) for country, total in countries.items()]
        return Stats(
            sorted(found, key=lambda total: (-total.orders, total.country)),
            [
                Activity(span * 10, counts.get("order", 0), counts.get("alert", 0))
                for span, counts in sorted(spans.items())
            ],
        )

    def _look(self, client: "Client", slice_: Slice, since: int) -> None:
        """Count a slice, or its first part when it has too many entries for one look."""
        began, now = time.monotonic(), time.time()
        limit, end = began + LOOK_LIMIT, slice_.end
        values: dict[str, Any] = {"type": slice_.type, "start": slice_.start, "end": end}
        if slice_.is_last or slice_.sums.documents > 2 * self._entries:
            for edge in client.ask(EDGE, {**values, "entries": self._entries}, limit):
                # More than that at one moment are counted together.
                end = max(int(edge), slice_.start + 1)
        by_spans = end > since * 1000
        rows = client.ask(SPANS if by_spans else COUNTS, {**values, "end": end}, limit)
        sums = _sums_of(rows, by_spans=by_spans)
        self._slices.put(slice_, end, sums, now)
        self._learn(sums.documents, time.monotonic() - began)

    def _learn(self, documents: int, took: float) -> None:
        """Choose how many entries the next looks have."""
        if took > LOOK:
            self._entries = max(self._entries // 2, FEWEST)
        elif took < LOOK / 4 and documents > self._entries / 2:
            self._entries = min(self._entries * 2, MOST)


def _sums_of(rows: list[Any], *, by_spans: bool) -> Sums:
    sums = Sums(spans={} if by_spans else None)
    for row in _fitting(rows):
        documents, amount = sums.groups.get((row.country, row.status), (0, 0.0))
        added = (documents + row.documents, amount + (row.amount or 0.0))
        sums.groups[row.country, row.status] = added
        if sums.spans is not None and row.span is not None:
            span = int(row.span)
            sums.spans[span] = sums.spans.get(span, 0) + row.documents
    return sums


def _add_groups(countries: dict[str, dict[str, Any]], slice_: Slice) -> None:
    for (country, status), (documents, amount) in slice_.sums.groups.items():
        column = _COLUMNS.get((slice_.type, status))
        if column is None:
            continue
        none = {"orders": 0, "alerts": 0, "paid": 0, "declined": 0, "revenue": 0.0}
        total = countries.setdefault(country, none)
        total[column] += documents
        if column == "paid":
            total["revenue"] = round(total["revenue"] + amount, 2)


def _fitting(rows: list[Any]) -> Iterator[_Sum]:
    for row in rows:
        try:
            yield msgspec.convert(row, _Sum)
        except msgspec.ValidationError:
            continue  # another program's; a warning would come with every count
