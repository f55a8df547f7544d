"""The statements that read the tables of the SQLite store, but for those of `pages`."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)
from orderapp.store.queries import Activity, CountryStats, OrderStory, Stats
from orderapp.store.sqlite.counts import SPAN
from orderapp.store.sqlite.schema import KEYS, TABLES


def _select(kind: type[Document], rest: str) -> str:
    names = ", ".join(kind.__struct_fields__)
    return f"SELECT {names} FROM {TABLES[kind]} {rest}"  # noqa: S608 - our own names


def documents(
    connection: sqlite3.Connection, kind: type[Document], rest: str, values: Sequence[int]
) -> list[Document]:
    """Documents of a type; `rest` is the statement from WHERE on."""
    return [kind(*row) for row in connection.execute(_select(kind, rest), values)]


#: What a story is made of, but for what rules in the shadow have found: several alerts and
#: several of those would be joined each with each.
_STORIED = (OrderDocument, AlertDocument, PaymentDocument, DeadLetterDocument)


def _stories(orders: str, end: str) -> str:
    names = (f"{TABLES[kind]}.{name}" for kind in _STORIED for name in kind.__struct_fields__)
    return (
        f"SELECT {', '.join(names)} FROM {orders} AS orders "  # noqa: S608 - our own names
        "LEFT JOIN alerts USING (order_id) LEFT JOIN payments USING (order_id) "
        f"LEFT JOIN dead_letters USING (order_id) {end}"
    )


_STORY = _stories("orders", "WHERE orders.order_id = ? ORDER BY alerts.reason")
# The inner ORDER BY picks the orders before anything is joined to them; the outer one is what
# SQL promises about the order of the result.
_LATEST = _stories(
    f"({_select(OrderDocument, 'ORDER BY created_at DESC, order_id DESC LIMIT ?')})",
    "ORDER BY orders.created_at DESC, orders.order_id DESC, alerts.reason",
)

_SHADOW = _select(ShadowDocument, "WHERE order_id = ? ORDER BY reason")

_STORED = "SELECT order_id FROM orders WHERE order_id IN"
#: Below the 999 parameters that an old SQLite allows.
_AT_ONCE = 500

_ORDER = len(OrderDocument.__struct_fields__)
_ALERT = _ORDER + len(AlertDocument.__struct_fields__)
_PAYMENT = _ALERT + len(PaymentDocument.__struct_fields__)


def _to_stories(rows: Iterable[Sequence[Any]]) -> list[OrderStory]:
    """Rows, one for each alert of an order, those of an order one after the other."""
    return [_to_story([*same]) for _, same in groupby(rows, itemgetter(0))]


def _to_story(rows: Sequence[Sequence[Any]]) -> OrderStory:
    row = rows[0]
    alerts = (row[_ORDER:_ALERT] for row in rows)
    payment, dead_letter = row[_ALERT:_PAYMENT], row[_PAYMENT:]
    return OrderStory(
        OrderDocument(*row[:_ORDER]),
        [AlertDocument(*alert) for alert in alerts if alert[0] is not None],
        None if payment[0] is None else PaymentDocument(*payment),
        None if dead_letter[0] is None else DeadLetterDocument(*dead_letter),
    )


def story(connection: sqlite3.Connection, order_id: int) -> OrderStory | None:
    """The order with this id and what belongs to it, but for `shadow`."""
    return next(iter(_to_stories(connection.execute(_STORY, (order_id,)))), None)


def whole_story(connection: sqlite3.Connection, order_id: int) -> OrderStory | None:
    """The same with `shadow`."""
    found = story(connection, order_id)
    if found is None:
        return None
    shadow = connection.execute(_SHADOW, (order_id,))
    return replace(found, shadow=[ShadowDocument(*row) for row in shadow])


def stored(connection: sqlite3.Connection, order_ids: Sequence[int]) -> set[int]:
    """Which of these orders are there."""
    found: set[int] = set()
    for start in range(0, len(order_ids), _AT_ONCE):
        part = order_ids[start : start + _AT_ONCE]
        places = ", ".join("?" * len(part))
        rows = connection.execute(f"{_STORED} ({places})", part)
        found.update(order_id for (order_id,) in rows)
    return found


def latest(connection: sqlite3.Connection, limit: int) -> list[OrderStory]:
    """The newest orders, newest first."""
    return _to_stories(connection.execute(_LATEST, (limit,)))


def scan(
    connection: sqlite3.Connection, kind: type[Document], after: int, limit: int
) -> list[Document]:
    """See `OrderStore`."""
    part = f"FROM {TABLES[kind]} WHERE order_id > ?1 ORDER BY order_id LIMIT ?2"
    last = f"SELECT max(order_id) FROM (SELECT order_id {part})"  # noqa: S608 - our own names
    rest = f"WHERE order_id > ?1 AND order_id <= ({last}) ORDER BY {KEYS[kind]}"
    return documents(connection, kind, rest, (after, limit))


_COUNTRIES = """SELECT country, orders, alerts, paid, declined, round(revenue, 2)
    FROM countries WHERE orders OR alerts OR paid OR declined ORDER BY orders DESC, country"""
_ACTIVITY = """SELECT bucket, orders, alerts FROM activity
    WHERE bucket >= ? AND (orders OR alerts) ORDER BY bucket"""


def stats(connection: sqlite3.Connection, since: int) -> Stats:
    """The totals, and the activity since `since`."""
    countries = [CountryStats(*row) for row in connection.execute(_COUNTRIES)]
    seconds = SPAN // 1000
    activity = connection.execute(_ACTIVITY, (since // seconds,))
    return Stats(countries, [Activity(bucket * seconds, *row) for bucket, *row in activity])
