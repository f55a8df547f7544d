"""The tables of the SQLite store, and how a file comes to have them.

A table's columns are its document's fields, and every statement names them in the order of the
fields, whatever their order in the file. So a document is bound as the tuple that msgspec makes
of it in C, and a row is a document's arguments.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from orderapp.store import StoreRejected
from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    Finding,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)
from orderapp.store.sqlite import reservations
from orderapp.store.sqlite.migration import AFTER, BEFORE, needed

log = logging.getLogger(__name__)

VERSION = 7

TABLES: dict[type[Document], str] = {
    OrderDocument: "orders",
    AlertDocument: "alerts",
    ShadowDocument: "shadows",
    PaymentDocument: "payments",
    DeadLetterDocument: "dead_letters",
}

#: What tells a table's rows apart; the order id alone where it is not said.
KEYS: dict[type[Document], str] = {
    kind: "order_id, reason" if issubclass(kind, Finding) else "order_id" for kind in TABLES
}

_FINDINGS = """CREATE TABLE IF NOT EXISTS {} (
        order_id INTEGER NOT NULL, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, reason TEXT NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, customer_id INTEGER NOT NULL, detected_at TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT '', kafka_timestamp INTEGER NOT NULL DEFAULT 0,
        rule_version INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '',{}
        PRIMARY KEY (order_id, reason)) WITHOUT ROWID"""

# Fields that came with version 2 have defaults, since writers of version 1 do not name them.
_TABLES = (
    """CREATE TABLE IF NOT EXISTS orders (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, customer_id INTEGER NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, created_at TEXT NOT NULL,
        kafka_timestamp INTEGER NOT NULL DEFAULT 0, stored_at TEXT NOT NULL DEFAULT '',
        trace_id TEXT NOT NULL DEFAULT '')""",
    _FINDINGS.format("alerts", ""),
    _FINDINGS.format("shadows", " failed INTEGER NOT NULL DEFAULT 0,"),
    """CREATE TABLE IF NOT EXISTS payments (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, payment_id TEXT NOT NULL, status TEXT NOT NULL,
        amount REAL NOT NULL, paid_at TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 1,
        country TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL DEFAULT '',
        kafka_timestamp INTEGER NOT NULL DEFAULT 0,
        attempt_times TEXT NOT NULL DEFAULT '')""",
    """CREATE TABLE IF NOT EXISTS dead_letters (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, service TEXT NOT NULL, error_class TEXT NOT NULL,
        error_text TEXT NOT NULL, attempts INTEGER NOT NULL, original_topic TEXT NOT NULL,
        first_failure TEXT NOT NULL, last_failure TEXT NOT NULL,
        kafka_timestamp INTEGER NOT NULL)""",
    # What `stats` would have to count; written in the same transaction as the counted rows.
    """CREATE TABLE IF NOT EXISTS countries (
        country TEXT PRIMARY KEY, orders INTEGER NOT NULL, alerts INTEGER NOT NULL,
        paid INTEGER NOT NULL, declined INTEGER NOT NULL, revenue REAL NOT NULL)""",
    # A bucket is a span of 10 s: `kafka_timestamp` // 10,000.
    """CREATE TABLE IF NOT EXISTS activity (
        bucket INTEGER PRIMARY KEY, orders INTEGER NOT NULL, alerts INTEGER NOT NULL)""",
)

# Every write pays for every index: one on orders (country, created_at) would make writes 40%
# dearer, one on customers or traces, which come in no order, four times as dear at 400,000
# orders. So the index of time also serves these searches, without a look at the rows.
# Indexes are read backwards: descending ones would be written at their front, which costs a
# third more.
_INDEXES = (
    """CREATE INDEX IF NOT EXISTS orders_by_time
        ON orders (created_at, order_id, country, customer_id, trace_id)""",
    "CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (created_at, order_id)",
    """CREATE INDEX IF NOT EXISTS declined_by_time ON payments (created_at, order_id)
        WHERE status = 'DECLINED'""",
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or nothing of it.

    IMMEDIATE: what the block reads stays true until it writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # After a failed statement or COMMIT. SQLite itself ends the transaction at a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def create(connection: sqlite3.Connection) -> None:
    """Create the tables, bring an older file up to date, or refuse one of a newer orderapp."""
    # Two workers that start together must not both find an old version.
    with transaction(connection):
        version = _version(connection)
        connection.execute(reservations.TABLE)
        if version == VERSION:
            return
        if version:
            log.info("store: bringing the orders of an older orderapp up to date")
        before, after = needed(BEFORE, version), needed(AFTER, version)
        for statement in (*before, *_TABLES, *after, *_INDEXES):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def check(connection: sqlite3.Connection) -> None:
    """Refuse a file that is not up to date; it is not changed."""
    version = _version(connection)
    if version == 0:
        raise StoreRejected(
            "it has none of orderapp's tables: no worker has stored orders here"
        )
    if version != VERSION:
        raise StoreRejected(
            f"schema version {version} is older than this orderapp's {VERSION}: "
            "start a worker once, which brings it up to date"
        )


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StoreRejected(
            f"schema version {version} is newer than this orderapp's {VERSION}: "
            "upgrade orderapp, or choose another data directory"
        )
    return version
