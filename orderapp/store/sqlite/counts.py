"""Totals by country and the activity of the last day, kept while documents are written.

Counting a million orders takes a second, adding what a batch changes microseconds.
"""

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from orderapp.store.documents import (
    AlertDocument,
    Document,
    OrderDocument,
    PaymentDocument,
)

#: What one row of `activity` stands for, in ms.
SPAN = 10_000
_DAY = 24 * 3_600_000 // SPAN
_HOUR = _DAY // 24

# Numbers of a country in `_ADD_COUNTRY`; those of a bucket are the first two.
ORDERS, ALERTS, PAID, DECLINED, REVENUE = range(5)

_ADD_COUNTRY = """INSERT INTO countries (country, orders, alerts, paid, declined, revenue)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (country) DO UPDATE SET orders = orders + excluded.orders,
    alerts = alerts + excluded.alerts, paid = paid + excluded.paid,
    declined = declined + excluded.declined, revenue = revenue + excluded.revenue"""
_ADD_ACTIVITY = """INSERT INTO activity (bucket, orders, alerts) VALUES (?, ?, ?)
    ON CONFLICT (bucket) DO UPDATE SET orders = orders + excluded.orders,
    alerts = alerts + excluded.alerts"""


class Changes:
    """What documents add to the totals, or subtract from them when they are replaced."""

    def __init__(self) -> None:
        # country -> orders, alerts, paid, declined, revenue; bucket -> orders, alerts
        self._countries = defaultdict[str, list[float]](lambda: [0, 0, 0, 0, 0.0])
        self._activity = defaultdict[int, list[int]](lambda: [0, 0])

    def count(self, kind: type[Document], documents: Sequence[Any], sign: int = 1) -> None:
        """Add documents of one type, or subtract them with `sign` -1."""
        if kind is OrderDocument:
            self._count(ORDERS, documents, sign)
        elif kind is AlertDocument:
            self._count(ALERTS, documents, sign)
        elif kind is PaymentDocument:
            self._count_payments(documents, sign)

    def _count(self, column: int, documents: Sequence[Any], sign: int) -> None:
        # `Counter` counts in C: every order is counted, and a loop takes five times as long.
        for country, count in Counter([d.country for d in documents]).items():
            self._countries[country][column] += sign * count
        for bucket, count in Counter([d.kafka_timestamp // SPAN for d in documents]).items():
            self._activity[bucket][column] += sign * count

    def _count_payments(self, payments: Sequence[PaymentDocument], sign: int) -> None:
        amounts = defaultdict[tuple[str, str], list[float]](list)
        for payment in payments:
            amounts[payment.country, payment.status].append(payment.amount)
        for (country, status), paid in amounts.items():
            if status == "PAID":
                self._countries[country][PAID] += sign * len(paid)
                self._countries[country][REVENUE] += sign * sum(paid)
            elif status == "DECLINED":
                self._countries[country][DECLINED] += sign * len(paid)

    def write(self, connection: sqlite3.Connection) -> None:
        """Add them to the tables, in the caller's transaction."""
        self.write_countries(connection)
        activity = ((bucket, *numbers) for bucket, numbers in self._activity.items())
        connection.executemany(_ADD_ACTIVITY, activity)
        if any(bucket % _HOUR == 0 for bucket in self._activity):  # about once an hour
            oldest = int(time.time() * 1000) // SPAN - _DAY
            connection.execute("DELETE FROM activity WHERE bucket < ?", (oldest,))

    def write_countries(self, connection: sqlite3.Connection) -> None:
        """The same of the totals alone: what is older than a day has no activity."""
        countries = ((name, *numbers) for name, numbers in self._countries.items())
        connection.executemany(_ADD_COUNTRY, countries)
