"""What a rule would have raised: the history of `orders` is judged again, and nothing is sent.

What was found is kept in a temporary file, one row for each order, so that memory does not grow
with the history, and an order that was sent twice counts once. For rules with a window all
orders are kept there, and judged in the sequence of their Kafka timestamps.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from orderapp import topics
from orderapp.engine import Batch
from orderapp.engine.observe.texts import text_or_class
from orderapp.judging import Asked, Rules, hits_with_windows
from orderapp.models import Order
from orderapp.rule import Rule
from orderapp.window import Windows

#: By whom an order was found: the candidate, its rule as it is in force, other active rules.
#: (The view `found` has them as numbers.)
CANDIDATE, BEFORE, OTHERS = 1, 2, 4

#: Orders that are judged at one time.
CHUNK = 5_000
#: Partitions whose orders may be in the windows: enough for any topic of ours.
PARTITIONS = 64
#: Rows of each kind in a report, at most.
COUNTRIES, HOURS = 50, 31 * 24

_TABLES = """
    CREATE TABLE noted (
        order_id INTEGER PRIMARY KEY, by INTEGER, customer_id INTEGER, amount REAL,
        country TEXT, created_at TEXT, detail TEXT
    );
    CREATE TABLE history (
        at INTEGER, order_id INTEGER, customer_id INTEGER, amount REAL, country TEXT,
        created_at TEXT
    );
    CREATE VIEW found AS SELECT *,
        by & 1 AS raised, by & 1 AND by & 6 AS already, by = 1 AS new, by & 3 = 2 AS gone,
        substr(created_at, 1, 13) || ':00Z' AS hour
    FROM noted
"""
_NOTE = """
    INSERT INTO noted VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE
    SET by = by | excluded.by, detail = coalesce(detail, excluded.detail)"""
_REMEMBER = "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)"
# Partitions are read in no certain sequence; two tests are to come to the same verdicts.
_HISTORY = "SELECT * FROM history ORDER BY at, order_id"
_TOTALS = "SELECT total(raised), total(already), total(new), total(gone) FROM found"
_BY_COUNTRY = """
    SELECT country, sum(raised), sum(already), sum(new), sum(gone) FROM found
    GROUP BY country ORDER BY count(*) DESC, country LIMIT ?"""
_BY_HOUR = """
    SELECT hour, sum(raised), sum(already), sum(new), sum(gone) FROM found
    GROUP BY hour ORDER BY hour DESC LIMIT ?"""
_EXAMPLES = """
    SELECT order_id, customer_id, amount, country, created_at, coalesce(detail, '') FROM found
    WHERE raised ORDER BY new DESC, created_at DESC LIMIT ?"""


class Counts(NamedTuple):
    """What would have been raised, of some orders."""

    raised: int
    #: Of these, what the active rules raise too, as they are now.
    already: int
    #: The others: nobody raises them now.
    new: int
    #: What the rule raises now, and would no longer.
    gone: int


class Example(NamedTuple):
    """An order that would have been raised."""

    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: str
    detail: str


class Candidate(Asked):
    """A rule with parameters that are to be tried."""

    failures = 0
    #: What the first of them was.
    failure = ""

    def fail(self, order: Order, error: Exception) -> None:
        """Count it."""
        self.failures += 1
        self.failure = self.failure or f"order {order.order_id}: {text_or_class(error)}"


class Backtest:
    """Judges orders by a rule that is to be tried, and by those that are in force.

    Raises ValueError for values that the rule does not take, and `sqlite3.Error` when there is
    no room for the temporary file."""

    def __init__(self, rule: Rule, values: dict[str, Any], in_force: Rules) -> None:
        self.candidate = Candidate(rule, **values)
        #: Records of orders that were judged.
        self.records = 0
        self._in_force = in_force
        # Each with who is said to have found what they find.
        self._asked: list[tuple[Asked, int]] = []
        if rule.has_window:
            self._asked.append((self.candidate, CANDIDATE))
        for one in in_force.with_window:
            if one.rule.state == "active":
                self._asked.append((one, self._by(one.rule)))
        #: How long before the orders that are judged the history begins, in seconds.
        self.seconds = max((one.seconds for one, _ in self._asked), default=0)
        self._found = sqlite3.connect("", isolation_level=None)
        self._found.execute("PRAGMA journal_mode = OFF")
        self._found.executescript(_TABLES)
        self._found.execute("BEGIN")

    def close(self) -> None:
        """Remove the temporary file."""
        self._found.close()

    def judge(self, batch: Batch[Order], since_ms: float, until_ms: float) -> None:
        """Judge the orders whose Kafka timestamps are in this range, both ends included; rules
        with a window do when `finish` is called."""
        if self._asked:
            self._remember(batch, since_ms - self.seconds * 1000, until_ms)
        orders = [
            order
            for order, record in zip(batch.values, batch.records, strict=True)
            if since_ms <= record.timestamp <= until_ms
        ]
        self.records += len(orders)
        self._found.executemany(_NOTE, self._rows(orders))

    def _rows(self, orders: Sequence[Order]) -> Iterator[tuple[Any, ...]]:
        if not self.candidate.rule.has_window:
            for at, _, detail in self.candidate.hits(orders):
                yield _row(orders[at], CANDIDATE, detail)
        for at, rule, _ in self._in_force.hits(orders):
            yield _row(orders[at], self._by(rule))

    def _by(self, rule: Rule) -> int:
        return BEFORE if rule.id == self.candidate.rule.id else OTHERS

    def _remember(self, batch: Batch[Order], since_ms: float, until_ms: float) -> None:
        rows = (
            (at, o.order_id, o.customer_id, o.amount, o.country, o.created_at)
            for o, at in zip(batch.values, (r.timestamp for r in batch.records), strict=True)
            if since_ms <= at <= until_ms
        )
        self._found.executemany(_REMEMBER, rows)

    def finish(self, since_ms: float) -> Iterator[int]:
        """Judge by rules with a window, from this time on; yields how many it has judged."""
        # As quick to make as what travels.
        make: Any = topics.orders.message
        windows = [Windows(one.seconds, PARTITIONS) for one, _ in self._asked]
        history = self._found.execute(_HISTORY) if windows else iter(())
        rows: list[tuple[Any, ...]]
        while rows := list(islice(history, CHUNK)):
            times, orders = [row[0] for row in rows], [make(*row[1:]) for row in rows]
            for (one, by), own in zip(self._asked, windows, strict=True):
                found = hits_with_windows([one], orders, times, own)
                noted = [
                    _row(orders[at], by, detail if by == CANDIDATE else None)
                    for at, _, detail in found
                    if times[at] >= since_ms
                ]
                self._found.executemany(_NOTE, noted)
            yield len(rows)

    def counts(self) -> Counts:
        """Of all orders."""
        return Counts(*map(int, self._found.execute(_TOTALS).fetchone()))

    def by_country(self) -> dict[str, Counts]:
        """Of the countries with most orders that were found."""
        return self._table(_BY_COUNTRY, COUNTRIES)

    def by_hour(self) -> dict[str, Counts]:
        """Of the last hours with orders that were found, by the time of the order (UTC)."""
        return self._table(_BY_HOUR, HOURS)

    def _table(self, query: str, limit: int) -> dict[str, Counts]:
        return {name: Counts(*counts) for name, *counts in self._found.execute(query, [limit])}

    def examples(self, limit: int) -> list[Example]:
        """The latest orders that would have been raised; those that nobody raises now first."""
        return [Example(*row) for row in self._found.execute(_EXAMPLES, [limit])]


def _row(order: Order, by: int, detail: str | None = None) -> tuple[Any, ...]:
    about = (order.customer_id, order.amount, order.country, order.created_at)
    return order.order_id, by, *about, detail
