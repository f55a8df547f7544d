"""`SQLiteStore`: one thread writes and another reads, each with a connection of its own.

With a write-ahead log a reader never waits for a writer. Several processes may share the file.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from orderapp.store import (
    OrderPage,
    OrderQuery,
    OrderStory,
    Reservation,
    Stats,
    StoreUnavailable,
)
from orderapp.store.documents import Document
from orderapp.store.sqlite import read, reservations
from orderapp.store.sqlite.pages import page
from orderapp.store.sqlite.reader import Reader
from orderapp.store.sqlite.retention import keep
from orderapp.store.sqlite.schema import check, create
from orderapp.store.sqlite.shared import SharedTransactions
from orderapp.store.sqlite.thread import open_connection
from orderapp.store.sqlite.writer import Writer

T = TypeVar("T")
Opened = TypeVar("Opened", Reader, Writer, SharedTransactions)

# Seconds. SQLite's own waits for a lock end before the limits of the calls around them.
WRITE_LOCK_WAIT = 5.0
READ_LOCK_WAIT = 1.0
WRITE_LIMIT = 10.0
READ_LIMIT = 1.8


class SQLiteStore:
    """`OrderStore` in the file `path`, created with its directory when missing.

    `read_only`: the file is neither made nor brought up to date, and takes no writes.
    `keep_days`: after so many orders are deleted, with what belongs to them."""

    def __init__(
        self, path: Path, *, read_only: bool = False, keep_days: int | None = None
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._keep_days = keep_days
        self._keeping: asyncio.Task[None] | None = None
        self._writer: Writer | None = None
        self._changes: SharedTransactions | None = None
        self._reader: Reader | None = None

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r})"

    async def open(self) -> None:
        """Open the file and create the tables; does nothing when it is open."""
        if self._reader is not None:
            return
        try:
            if not self._read_only:
                thread = await open_connection(
                    self._path, WRITE_LOCK_WAIT, _prepare_writer, name="sqlite-write"
                )
                self._writer, self._changes = Writer(thread), SharedTransactions(thread)
            thread = await open_connection(
                self._path,
                READ_LOCK_WAIT,
                _prepare_reader,
                name="sqlite-read",
                create=not self._read_only,
            )
            self._reader = Reader(thread)
            if self._keep_days is not None and not self._read_only:
                self._keeping = asyncio.create_task(keep(self._keep_days, self._change))
        except BaseException:  # also when cancelled: the threads must not stay
            await self.close()
            raise

    async def close(self) -> None:
        """Finish the writes that are under way and let go of the file."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
        reader, self._reader = self._reader, None
        writer, self._writer = self._writer, None
        changes, self._changes = self._changes, None
        if changes is not None:
            changes.hand_over()
        for thread in (reader, writer):
            if thread is not None:
                await thread.close()

    async def ping(self) -> None:
        """Read the file's header and an index."""
        await self.latest(0)

    async def story(self, order_id: int) -> OrderStory | None:
        if not _fits(order_id):
            return None
        return await self._read(lambda connection: read.whole_story(connection, order_id))

    async def stored(self, order_ids: Sequence[int]) -> set[int]:
        ids = [order_id for order_id in order_ids if _fits(order_id)]
        return await self._read(lambda connection: read.stored(connection, ids))

    async def latest(self, limit: int) -> list[OrderStory]:
        # SQLite takes a negative LIMIT for none.
        return await self._read(lambda connection: read.latest(connection, max(limit, 0)))

    async def page(self, query: OrderQuery) -> OrderPage:
        """A page of orders; one answer looks at 5,000 of them at most."""
        if query.after is not None and not _fits(query.after[1]):
            return OrderPage([], None)
        return await self._read(lambda connection: page(connection, query))

    async def stats(self, since: int) -> Stats:
        """The totals as they are now; what is older than a day has no activity."""
        return await self._read(lambda connection: read.stats(connection, since))

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """Documents of a type by order id."""
        start = -1 if after is None else after
        if not _fits(start):
            return []
        return await self._read(
            lambda connection: read.scan(connection, kind, start, max(limit, 0))
        )

    async def upsert(self, documents: Sequence[Document]) -> None:
        """Write one batch; callers that come while another writes share one transaction."""
        writer = self._opened(self._writer)
        if documents:
            await self._within(WRITE_LIMIT, writer.write(documents))

    async def reserve(self, wanted: Reservation) -> Reservation:
        return await self._change(lambda found: reservations.reserve(found, wanted))

    async def replace_reservation(self, before: Reservation, after: Reservation) -> bool:
        """Change a reservation that is still as it was."""
        return await self._change(
            lambda found: reservations.replace_reservation(found, before, after)
        )

    async def _change(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._within(WRITE_LIMIT, self._opened(self._changes).run(function))

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._within(READ_LIMIT, self._opened(self._reader).read(function))

    def _opened(self, thread: Opened | None) -> Opened:
        if thread is None:
            raise StoreUnavailable(f"{self._path}: the store is not open")
        return thread

    async def _within(self, limit: float, answer: asyncio.Future[T]) -> T:
        try:
            # Not `wait_for`, which in Python 3.11 can swallow a cancellation.
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError:
            raise StoreUnavailable(f"{self._path}: no answer within {limit:g} s") from None


def _fits(order_id: int) -> bool:
    # What no column holds no order has.
    return -(2**63) <= order_id < 2**63


def _prepare_writer(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the log at every commit. With NORMAL a power cut takes the last transactions,
    # although the offsets of their orders are committed in Kafka: they would be lost for good.
    connection.execute("PRAGMA synchronous = FULL")
    # The log may grow to 32 MB (4 MB by default) before it is worked into the file. A page that
    # was written many times until then, of a total or an index, is copied once: a tenth of the
    # CPU time of an order.
    connection.execute("PRAGMA wal_autocheckpoint = 8000")
    # After a peak (a long read kept the log from starting anew) its file shrinks to that again.
    # A lower limit would cut and lengthen the file all the time under load.
    connection.execute("PRAGMA journal_size_limit = 33554432")
    create(connection)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    check(connection)
    read.latest(connection, 0)
