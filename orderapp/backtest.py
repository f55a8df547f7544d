"""What a rule would have raised: the history of `orders` is judged again, and nothing is sent.

What was found is kept in a temporary file, one row for each order, so that memory does not grow
with the history, and an order that was sent twice counts once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from orderapp.engine import Batch
from orderapp.engine.observe.texts import text_or_class
from orderapp.judging import Asked, Rules
from orderapp.models import Order
from orderapp.rule import Rule

#: By whom an order was found: the candidate, its rule as it is in force, other active rules.
#: (The view `found` has them as numbers.)
CANDIDATE, BEFORE, OTHERS = 1, 2, 4

#: Rows of each kind in a report, at most.
COUNTRIES, HOURS = 50, 31 * 24

_TABLES = """
    CREATE TABLE noted (
        order_id INTEGER PRIMARY KEY, by INTEGER, customer_id INTEGER, amount REAL,
        country TEXT, created_at TEXT, detail TEXT
    );
    CREATE VIEW found AS SELECT *,
        by & 1 AS raised, by & 1 AND by & 6 AS already, by = 1 AS new, by & 3 = 2 AS gone,
        substr(created_at, 1, 13) || ':00Z' AS hour
    FROM noted
"""
_NOTE = """
    INSERT INTO noted VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE
    SET by = by | excluded.by, detail = coalesce(detail, excluded.detail)"""
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
        self._found = sqlite3.connect("", isolation_level=None)
        self._found.execute("PRAGMA journal_mode = OFF")
        self._found.executescript(_TABLES)
        self._found.execute("BEGIN")

    def close(self) -> None:
        """Remove the temporary file."""
        self._found.close()

    def judge(self, batch: Batch[Order], since_ms: float, until_ms: float) -> None:
        """Judge the orders whose Kafka timestamps are in this range, both ends included."""
        orders = [
            order
            for order, record in zip(batch.values, batch.records, strict=True)
            if since_ms <= record.timestamp <= until_ms
        ]
        self.records += len(orders)
        self._found.executemany(_NOTE, self._rows(orders))

    def _rows(self, orders: Sequence[Order]) -> Iterator[tuple[Any, ...]]:
        for at, _, detail in self.candidate.hits(orders):
            yield _row(orders[at], CANDIDATE, detail)
        for at, rule, _ in self._in_force.hits(orders):
            yield _row(orders[at], BEFORE if rule.id == self.candidate.rule.id else OTHERS)

    def counts(self) -> Counts:
        """Of all orders."""
        return Counts(*map(int, self._found.execute(_TOTALS).fetchone()))

    def by_country(self) -> dict[str, Counts]:
        """Of the countries with most orders that were found."""
        return self._by(_BY_COUNTRY, COUNTRIES)

    def by_hour(self) -> dict[str, Counts]:
        """Of the last hours with orders that were found, by the time of the order (UTC)."""
        return self._by(_BY_HOUR, HOURS)

    def _by(self, query: str, limit: int) -> dict[str, Counts]:
        return {name: Counts(*counts) for name, *counts in self._found.execute(query, [limit])}

    def examples(self, limit: int) -> list[Example]:
        """The latest orders that would have been raised; those that nobody raises now first."""
        return [Example(*row) for row in self._found.execute(_EXAMPLES, [limit])]


def _row(order: Order, by: int, detail: str | None = None) -> tuple[Any, ...]:
    about = (order.customer_id, order.amount, order.country, order.created_at)
    return order.order_id, by, *about, detail
