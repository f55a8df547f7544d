"""What the other contenders share: the rules, and a store in plain sqlite3.

Nothing of orderapp: these are programs that somebody else wrote."""

import os
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

KAFKA = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
DATABASE = os.environ.get("BENCH_DATABASE")
COUCHBASE = os.environ.get("COUCHBASE_HOST")
HAS_STORE = bool(DATABASE or COUCHBASE)

TABLES = {"orders": "orders", "fraud-alerts": "alerts", "payments": "payments"}
FIELDS = {
    "orders": ("customer_id", "amount", "country", "created_at"),
    "alerts": ("reason", "amount", "country", "customer_id", "detected_at"),
    "payments": ("payment_id", "status", "amount", "paid_at"),
}
COLUMNS = {
    table: ("order_id", "kafka_partition", "kafka_offset", *fields)
    for table, fields in FIELDS.items()
}
_PICK = {table: itemgetter(*fields) for table, fields in FIELDS.items()}

Row = tuple[Any, ...]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def is_risky(order: dict[str, Any]) -> bool:
    return order["amount"] > 300 and order["country"] not in {"US", "CA"}


def alert_for(order: dict[str, Any], detected_at: str) -> dict[str, Any]:
    return {
        "order_id": order["order_id"],
        "reason": "HIGH_AMOUNT_RISKY_COUNTRY",
        "amount": order["amount"],
        "country": order["country"],
        "customer_id": order["customer_id"],
        "detected_at": detected_at,
    }


def payment_for(order: dict[str, Any], paid_at: str) -> dict[str, Any]:
    return {
        "order_id": order["order_id"],
        "payment_id": f"pay-{order['order_id']}",
        "status": "DECLINED" if order["amount"] > 10_000 else "PAID",
        "amount": order["amount"],
        "paid_at": paid_at,
    }


def row(table: str, value: dict[str, Any], partition: int, offset: int) -> Row:
    """A row of a table, from a message and its place in Kafka."""
    return (value["order_id"], partition, offset, *_PICK[table](value))


def _upsert(table: str, columns: tuple[str, ...]) -> str:
    places = ", ".join("?" * len(columns))
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    key = "order_id, reason" if table == "alerts" else "order_id"
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )


_UPSERT = {table: _upsert(table, columns) for table, columns in COLUMNS.items()}


class Database:
    """The SQLite file, with tables and write-ahead log made before."""

    def __init__(self, synchronous: str = "NORMAL") -> None:
        assert DATABASE is not None
        self._connection = sqlite3.connect(
            DATABASE, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")

    def save(self, table: str, one: Row) -> None:
        """Upsert one row, in a transaction of its own."""
        self._connection.execute(_UPSERT[table], one)

    def save_all(self, rows: dict[str, list[Row]] | Iterable[tuple[str, list[Row]]]) -> None:
        """Upsert the rows of several tables in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table, of_table in dict(rows).items():
            self._connection.executemany(_UPSERT[table], of_table)
        self._connection.execute("COMMIT")


class Bucket:
    """The same in Couchbase, with the SDK's options that cost least."""

    def __init__(self) -> None:
        from couchbase.auth import PasswordAuthenticator
        from couchbase.cluster import Cluster
        from couchbase.options import ClusterOptions, ClusterTracingOptions

        env = os.environ
        options = ClusterOptions(
            PasswordAuthenticator(env["COUCHBASE_USERNAME"], env["COUCHBASE_PASSWORD"]),
            tracing_options=ClusterTracingOptions(enable_tracing=False),
            enable_metrics=False,
            enable_mutation_tokens=False,
        )
        self.cluster = Cluster(f"couchbase://{COUCHBASE}", options)
        self._documents = self.cluster.bucket(env["COUCHBASE_BUCKET"]).default_collection()

    def save_all(self, rows: dict[str, list[Row]]) -> None:
        """Upsert the rows of several tables as documents."""
        documents = {}
        for table, of_table in rows.items():
            kind, names = table[:-1], ("type", *COLUMNS[table])
            prefix = "" if kind == "order" else f"{kind}::"
            for one in of_table:
                documents[f"{prefix}{one[0]}"] = dict(zip(names, (kind, *one), strict=True))
        result = self._documents.upsert_multi(documents)
        if not result.all_ok:
            raise next(iter(result.exceptions.values()))


def open_store(synchronous: str = "NORMAL") -> Any:
    """A `Database` or a `Bucket`, None in a run without store."""
    if DATABASE:
        return Database(synchronous)
    return Bucket() if COUCHBASE else None
