"""The stores that contenders write to, and whether everything is in them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from orderapp.store.sqlite import schema
from tests.benchmarks.orders import Workload
from tests.couchbase_double import CouchbaseDouble, couchbase_double

STORES = ("sqlite", "couchbase", "none")


class Store(Protocol):
    """What a measurement needs of a store."""

    kind: str
    #: How a contender finds it.
    environment: Mapping[str, str]

    def count(self) -> int:
        """How many documents there are."""

    def problems(self, work: Workload, direct: bool) -> list[str]:
        """What is missing or wrong after the work."""


class NoStore:
    """Orders, alerts and payments in Kafka only."""

    kind = "none"
    environment: Mapping[str, str] = {}

    def count(self) -> int:
        return 0

    def problems(self, work: Workload, direct: bool) -> list[str]:
        return []


class Sqlite:
    """One file with orderapp's tables, made before the contender starts, unless it is the
    orderapp of another checkout, which may have others."""

    kind = "sqlite"

    def __init__(self, data_dir: Path, makes_tables: bool) -> None:
        data_dir.mkdir()
        self._path = data_dir / "orders.db"
        self.environment = {"BENCH_DATABASE": str(self._path)}
        if makes_tables:
            return
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            schema.create(connection)

    def _ask(self, statement: str) -> list[tuple]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            return connection.execute(statement).fetchall()

    def count(self) -> int:
        tables = ("orders", "alerts", "payments")
        return sum(self._ask(f"SELECT count(*) FROM {table}")[0][0] for table in tables)

    def problems(self, work: Workload, direct: bool) -> list[str]:
        found = []
        expected = {"orders": work.ids, "alerts": work.risky_ids, "payments": work.ids}
        for table, ids in expected.items():
            rows = {order_id for (order_id,) in self._ask(f"SELECT order_id FROM {table}")}
            if rows != ids:
                found.append(f"{len(rows & ids):,} of {len(ids):,} rows in {table}")
        # Every document says where its record is, and no two records are in one place.
        tables = ("orders",) if direct else tuple(expected)
        for table in tables:
            places = f"SELECT DISTINCT kafka_partition, kafka_offset FROM {table}"
            ((count,),) = self._ask(f"SELECT count(*) FROM ({places})")
            if count < len(expected[table]):
                found.append(f"only {count:,} different places in Kafka in {table}")
        return found


class Couchbase:
    """The double of a Couchbase node that the real SDK talks to."""

    kind = "couchbase"

    def __init__(self, double: CouchbaseDouble) -> None:
        self._double = double
        self.environment = double.environment

    def count(self) -> int:
        return self._double.count()

    def problems(self, work: Workload, direct: bool) -> list[str]:
        kinds = Counter(document["type"] for document in self._double.documents().values())
        expected = {
            "order": len(work.ids), "alert": len(work.risky_ids), "payment": len(work.ids)
        }  # fmt: skip
        return [
            f"{kinds[kind]:,} of {count:,} documents of type {kind}"
            for kind, count in expected.items()
            if kinds[kind] != count
        ]


@contextmanager
def open_store(kind: str, data_dir: Path, tree: Path | None = None) -> Iterator[Store]:
    """A fresh store of this kind, for the orderapp of a checkout when one is named."""
    if kind == "couchbase":
        with couchbase_double() as double:
            yield Couchbase(double)
    else:
        yield Sqlite(data_dir, makes_tables=bool(tree)) if kind == "sqlite" else NoStore()
