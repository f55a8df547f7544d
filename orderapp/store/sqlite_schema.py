"""The tables of the SQLite store and the statements that write and read them.

Columns stand in the order of the documents' fields, so that a document is bound as the tuple
that msgspec makes of it in C, and a row is a document's arguments.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from msgspec.structs import astuple

from orderapp.store import StoreRejected
from orderapp.store.documents import (
    AlertDocument,
    Document,
    OrderDocument,
    OrderStory,
    PaymentDocument,
)

VERSION = 1

# The index holds (created_at, order_id), as every SQLite index ends with the primary key, and
# is read backwards. A descending one would be written at its front, which costs a third more.
CREATE = (
    """CREATE TABLE IF NOT EXISTS orders (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, customer_id INTEGER NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, created_at TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS alerts (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, reason TEXT NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, customer_id INTEGER NOT NULL, detected_at TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS payments (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, payment_id TEXT NOT NULL, status TEXT NOT NULL,
        amount REAL NOT NULL, paid_at TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at)",
    f"PRAGMA user_version = {VERSION}",
)

TABLES: dict[type[Document], str] = {
    OrderDocument: "orders",
    AlertDocument: "alerts",
    PaymentDocument: "payments",
}

# One statement for 100 rows costs 1.6 us a row, one for each row (`executemany`) 2.6 us. It
# stays below the 999 parameters that an old SQLite allows.
ROWS = 100


def _upsert(table: str, columns: Sequence[str], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)} "  # noqa: S608
        f"ON CONFLICT (order_id) DO UPDATE SET {changes}"
    )


_UPSERT_ROWS = {t: _upsert(name, t.__struct_fields__, ROWS) for t, name in TABLES.items()}
_UPSERT_ONE = {t: _upsert(name, t.__struct_fields__, 1) for t, name in TABLES.items()}


def write(connection: sqlite3.Connection, batches: Iterable[Sequence[Document]]) -> None:
    """Write batches in one transaction, the documents of each type in their order."""
    by_type: dict[type[Document], list[Document]] = {kind: [] for kind in TABLES}
    for document in chain.from_iterable(batches):
        by_type[type(document)].append(document)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for kind, documents in by_type.items():
            _write_type(connection, kind, documents)
        connection.execute("COMMIT")
    finally:
        # After a failed statement or COMMIT. SQLite itself ends the transaction at a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _write_type(
    connection: sqlite3.Connection, kind: type[Document], documents: list[Document]
) -> None:
    full = len(documents) - len(documents) % ROWS
    for start in range(0, full, ROWS):
        rows = map(astuple, documents[start : start + ROWS])
        connection.execute(_UPSERT_ROWS[kind], list(chain.from_iterable(rows)))
    if full < len(documents):
        connection.executemany(_UPSERT_ONE[kind], map(astuple, documents[full:]))


def _stories(orders: str, end: str) -> str:
    names = (f"{table}.{name}" for t, table in TABLES.items() for name in t.__struct_fields__)
    return (
        f"SELECT {', '.join(names)} FROM {orders} AS orders "  # noqa: S608
        f"LEFT JOIN alerts USING (order_id) LEFT JOIN payments USING (order_id) {end}"
    )


_STORY = _stories("orders", "WHERE orders.order_id = ?")
_NEWEST = "ORDER BY created_at DESC, order_id DESC"
# The inner ORDER BY picks the orders before anything is joined to them; the outer one is what
# SQL promises about the order of the result.
_LATEST = _stories(
    f"(SELECT * FROM orders {_NEWEST} LIMIT ?)",  # noqa: S608
    "ORDER BY orders.created_at DESC, orders.order_id DESC",
)

_ORDER = len(OrderDocument.__struct_fields__)
_ALERT = _ORDER + len(AlertDocument.__struct_fields__)


def _to_story(row: Sequence[Any]) -> OrderStory:
    alert, payment = row[_ORDER:_ALERT], row[_ALERT:]
    return OrderStory(
        order=OrderDocument(*row[:_ORDER]),
        alerts=[] if alert[0] is None else [AlertDocument(*alert)],
        payment=None if payment[0] is None else PaymentDocument(*payment),
    )


def story(connection: sqlite3.Connection, order_id: int) -> OrderStory | None:
    """The order with this id and what belongs to it."""
    row = connection.execute(_STORY, (order_id,)).fetchone()
    return None if row is None else _to_story(row)


def latest(connection: sqlite3.Connection, limit: int) -> list[OrderStory]:
    """The newest orders, newest first."""
    return [_to_story(row) for row in connection.execute(_LATEST, (limit,))]


def create(connection: sqlite3.Connection) -> None:
    """Create the tables, or refuse a file that a newer orderapp has written."""
    # IMMEDIATE: two workers that start together must not both find version 0.
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreRejected(
                f"schema version {version} is newer than this orderapp's {VERSION}: "
                "upgrade orderapp, or choose another data directory"
            )
        if version < VERSION:
            for statement in CREATE:
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
