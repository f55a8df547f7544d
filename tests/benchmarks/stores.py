"""The stores that contenders write to, and whether everything is in them."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

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


#: Orders that were there before: ids from here on.
FIRST = 10_000_000


class Filled(NamedTuple):
    """A closed file that has so many orders, from `FIRST` on."""

    path: Path
    orders: int

    @property
    def bytes(self) -> int:
        """On disk."""
        return self.path.stat().st_size


class Sqlite:
    """One file with orderapp's tables, made before the contender starts, unless it is the
    orderapp of another checkout, which may have others. What a file was filled with is not
    counted."""

    kind = "sqlite"

    def __init__(self, data_dir: Path, makes_tables: bool, filled: Filled | None) -> None:
        data_dir.mkdir()
        self._path = data_dir / "orders.db"
        self.environment = {"BENCH_DATABASE": str(self._path)}
        # By the key, which is quick beside millions of others.
        others = (FIRST, FIRST + filled.orders) if filled else (0, 0)
        self._ours = "WHERE order_id < {} OR order_id >= {}".format(*others)
        if filled:
            shutil.copyfile(filled.path, self._path)
        if filled or makes_tables:
            return
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            schema.create(connection)

    def _ask(self, statement: str) -> list[tuple]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            return connection.execute(statement).fetchall()

    def count(self) -> int:
        tables = ("orders", "alerts", "payments")
        ask = "SELECT count(*) FROM {} " + self._ours
        return sum(self._ask(ask.format(table))[0][0] for table in tables)

    def problems(self, work: Workload, direct: bool) -> list[str]:
        found = []
        expected = {"orders": work.ids, "alerts": work.risky_ids, "payments": work.ids}
        for table, ids in expected.items():
            ask = f"SELECT order_id FROM {table} {self._ours}"
            rows = {order_id for (order_id,) in self._ask(ask)}
            if rows != ids:
                found.append(f"{len(rows & ids):,} of {len(ids):,} rows in {table}")
        # Every document says where its record is, and no two records are in one place.
        tables = ("orders",) if direct else tuple(expected)
        for table in tables:
            places = f"SELECT DISTINCT kafka_partition, kafka_offset FROM {table} {self._ours}"
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
def open_store(
    kind: str, data_dir: Path, tree: Path | None = None, filled: Filled | None = None
) -> Iterator[Store]:
    """A fresh store of this kind, for the orderapp of a checkout when one is named; that of
    SQLite may be a copy of a file that was filled."""
    if kind == "couchbase":
        with couchbase_double() as double:
            yield Couchbase(double)
    else:
        yield Sqlite(data_dir, bool(tree), filled) if kind == "sqlite" else NoStore()
