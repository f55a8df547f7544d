"""Totals from the rows that the query service counted.

Documents of other programs are counted as well where nothing in the index tells them apart;
rows with fields of other types are left out.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from orderapp.store import Activity, CountryStats, Stats
from orderapp.store.couchbase.statements import ACTIVITY, TOTALS

if TYPE_CHECKING:
    from orderapp.store.couchbase.client import Client

T = TypeVar("T")

# Seconds, for both queries.
COUNT_LIMIT = 30.0


class _Total(msgspec.Struct):
    type: Literal["order", "alert", "payment"]
    country: str
    documents: int
    status: str | None = None
    amount: float | None = None


#: What of `CountryStats` a row counts for.
_COLUMNS = {
    ("order", None): "orders",
    ("alert", None): "alerts",
    ("payment", "PAID"): "paid",
    ("payment", "DECLINED"): "declined",
}


class _Span(msgspec.Struct):
    type: Literal["order", "alert"]
    # In spans of 10 s; null where the timestamps were no numbers.
    span: Annotated[float, msgspec.Meta(ge=0, lt=2**53)]
    documents: int


def totals(client: "Client", since: int) -> Stats:
    """What there is, counted by the indexes, entry by entry; `since` in s of Unix time."""
    end = time.monotonic() + COUNT_LIMIT
    countries = _countries_of(client.ask(TOTALS, {}, end))
    spans = client.ask(ACTIVITY, {"since": since // 10 * 10_000}, end)
    return Stats(countries, _activity_of(spans))


def _countries_of(rows: list[Any]) -> list[CountryStats]:
    """Most orders first; rows have type, country, status and counts."""
    totals: dict[str, dict[str, Any]] = {}
    for row in _fitting(rows, _Total):
        column = _COLUMNS.get((row.type, row.status))
        if column is None:
            continue
        none = {"orders": 0, "alerts": 0, "paid": 0, "declined": 0, "revenue": 0.0}
        total = totals.setdefault(row.country, none)
        total[column] += row.documents
        if column == "paid":
            total["revenue"] = round(row.amount or 0.0, 2)
    found = [CountryStats(country, **total) for country, total in totals.items()]
    return sorted(found, key=lambda total: (-total.orders, total.country))


def _activity_of(rows: list[Any]) -> list[Activity]:
    """Spans of 10 s, oldest first; rows have type, span and a count."""
    spans: dict[int, dict[str, int]] = {}
    for row in _fitting(rows, _Span):
        spans.setdefault(int(row.span), {})[row.type] = row.documents
    return [
        Activity(span * 10, counts.get("order", 0), counts.get("alert", 0))
        for span, counts in sorted(spans.items())
    ]


def _fitting(rows: list[Any], kind: type[T]) -> Iterator[T]:
    for row in rows:
        try:
            yield msgspec.convert(row, kind)
        except msgspec.ValidationError:
            continue  # another program's; a warning would come with every count
