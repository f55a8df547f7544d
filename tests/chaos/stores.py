"""The stores, and what can be done to them."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from tests.couchbase_double import CouchbaseDouble

#: By kind (`order`, `payment`, and that of each rule's alerts) and order id.
Documents = dict[str, dict[int, dict[str, Any]]]


def alert_kind(rule: str) -> str:
    """The kind of the documents of a rule's alerts."""
    return f"alert of {rule}"


def _by_kind(name: str, rows: Iterable[Any]) -> Documents:
    found: Documents = {} if name == "alert" else {name: {}}
    for row in map(dict, rows):
        kind = alert_kind(row["reason"]) if name == "alert" else name
        found.setdefault(kind, {})[row["order_id"]] = row
    return found


class Store(Protocol):
    """A store that can be made to fail; each fault lasts so many seconds and heals."""

    settings: dict[str, str]

    async def kill(self, seconds: float) -> None: ...
    async def hang(self, seconds: float) -> None: ...
    async def refuse(self, seconds: float) -> None: ...
    async def fail_over(self, seconds: float) -> None: ...
    async def degrade(self, seconds: float) -> None: ...
    def documents(self) -> Documents: ...
    def close(self) -> None: ...


#: How often a process tries to get the lock.
TRIES = 20

# Takes the lock that every write needs, and leaves half a transaction in the log.
HOLD = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=45, isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("CREATE TABLE chaos (filler)")
database.executemany("INSERT INTO chaos VALUES (?)", [("x" * 1000,)] * 500)
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""


class SQLite:
    """The file in the data directory; other processes hold its lock."""

    def __init__(self, data_dir: Path) -> None:
        self.settings: dict[str, str] = {}
        self._path = data_dir / "orders.db"

    async def hang(self, seconds: float) -> None:
        """Hold the write lock."""
        await self._hold(seconds)

    async def kill(self, seconds: float) -> None:
        """Hold the write lock, and die in the middle of a transaction."""
        await self._hold(seconds, killed=True)

    async def refuse(self, seconds: float) -> None:
        """Give the lock back and take it again, just longer than a writer waits for it."""
        for _ in range(max(1, int(seconds / 6))):
            await self._hold(5.5)
            await asyncio.sleep(0.3)

    async def fail_over(self, seconds: float) -> None:
        """There is one file, and no copy of it."""
        raise NotImplementedError

    degrade = fail_over

    async def _hold(self, seconds: float, *, killed: bool = False) -> None:
        # The disk may have been full until just now.
        for _ in range(TRIES):
            if await self._held(seconds, killed=killed):
                return
            await asyncio.sleep(0.5)
        raise RuntimeError(f"{self._path}: the lock was not to be had")

    async def _held(self, seconds: float, *, killed: bool) -> bool:
        holder = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", HOLD, str(self._path), str(3600 if killed else seconds)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert holder.stdout is not None
            # A frozen worker may hold the lock.
            if not await asyncio.wait_for(holder.stdout.readline(), 50):
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(holder.wait(), seconds if killed else seconds + 5)
            return True
        finally:
            if holder.returncode is None:
                holder.kill()
            await holder.wait()

    def documents(self) -> Documents:
        database = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        tables = {"order": "orders", "alert": "alerts", "payment": "payments"}
        try:
            return {
                kind: rows
                for name, t in tables.items()
                for kind, rows in _by_kind(name, database.execute(f"SELECT * FROM {t}")).items()
            }
        finally:
            database.close()

    def close(self) -> None:
        """Nothing to close: every holder has ended."""


#: Three nodes, and two copies beside the active one, which get every write a little later.
NODES = ("--nodes", "3", "--replicas", "2", "--replication-seconds", "0.02")


class Couchbase:
    """The tests' double, which refuses, hangs, fails writes, and loses nodes."""

    def __init__(self, durability: str) -> None:
        self._double = CouchbaseDouble(*NODES)
        self.settings = {**self._double.environment, "COUCHBASE_DURABILITY": durability}

    async def kill(self, seconds: float) -> None:
        """Cut all connections, refuse new ones, come back."""
        await self._with(self._double.stop, seconds)

    async def hang(self, seconds: float) -> None:
        """Take requests and answer none."""
        await self._with(self._double.pause, seconds)

    async def refuse(self, seconds: float) -> None:
        """Answer every write with a temporary failure."""
        await self._with(
            lambda: self._double.inject(fail_sets=[["TEMPFAIL", -1]]),
            seconds,
        )

    async def fail_over(self, seconds: float) -> None:
        """Lose the active node with what it has not passed on; one of the copies takes over."""
        await self._with(self._double.fail_over, seconds)

    async def degrade(self, seconds: float) -> None:
        """Lose both copies: at first writes are ambiguous, then, given up, impossible."""
        replicas = self._double.replicas()

        async def each(command: Any) -> None:
            for number in replicas:
                await asyncio.to_thread(command, number)
            await asyncio.sleep(seconds / 2)

        try:
            await each(self._double.kill_replica)
            await each(self._double.give_up_replica)
        finally:
            self._double.heal()

    async def _with(self, hurt: Any, seconds: float) -> None:
        try:
            await asyncio.to_thread(hurt)
            await asyncio.sleep(seconds)
        finally:
            self._double.heal()

    def documents(self) -> Documents:
        documents = self._double.documents().items()
        by_prefix: dict[str, list[dict[str, Any]]] = {"order": [], "payment": []}
        for key, document in documents:
            prefix = key.partition("::")[0] if "::" in key else "order"
            if "order_id" in document:  # the list of alerts' reasons has none
                by_prefix.setdefault(prefix, []).append(document)
        return {
            kind: rows
            for prefix, found in by_prefix.items()
            for kind, rows in _by_kind(prefix, found).items()
        }

    def close(self) -> None:
        self._double.close()
