"""`CouchbaseStore`: the event loop only waits here, and threads call the SDK.

Its blocking `upsert_multi` in threads costs a third of what its asyncio API does. The SDK
itself is in `connect` and `client`, and is imported when a store is opened.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from orderapp.couchbase_settings import Couchbase
from orderapp.metrics import STORE_DOCUMENTS
from orderapp.store import (
    OrderPage,
    OrderQuery,
    OrderStory,
    Reservation,
    Stats,
    StoreUnavailable,
)
from orderapp.store.couchbase import read
from orderapp.store.couchbase.connection import Connection, in_thread
from orderapp.store.couchbase.count import SharedCount
from orderapp.store.couchbase.keyspace import keyspace
from orderapp.store.couchbase.pages import latest, page
from orderapp.store.couchbase.totals import Totals
from orderapp.store.documents import Document

if TYPE_CHECKING:
    from orderapp.store.couchbase.client import Client

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds. They are a little above the SDK's own limits, whose errors say more, and end calls
# that never got a thread or that the SDK does not end.
OPEN_LIMIT = 8.0
READ_LIMIT = 1.9
SCAN_LIMIT = 12.0
COUNT_LIMIT = 7.0
WRITE_LIMIT = 12.0


class CouchbaseStore:
    """`OrderStore` in one collection of a bucket.

    Writes return when they are as durable as `durability` says: on a majority of the copies
    that the bucket has, in memory or on disk; with `none` on one node, which loses them when it
    fails before it has passed them on. A bucket that can't give it is rejected by `open`.

    `read_only`: no index is created before a read needs it."""

    def __init__(self, couchbase: Couchbase, *, read_only: bool = False) -> None:
        self._couchbase = couchbase
        self._where = couchbase.connection_string
        self._read_only = read_only
        self._has_warned = False
        self._connection: Connection | None = None
        self._shared_count = self._new_count()

    def __repr__(self) -> str:
        return f"CouchbaseStore({self._couchbase!r})"  # without the password

    async def open(self) -> None:
        """Connect and open the bucket; does nothing when it is open."""
        if self._connection is not None:
            return
        keyspace(self._couchbase)  # raises for names that would end a statement
        if self._couchbase.is_readable and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s: without TLS the network can read the password and all documents; "
                "couchbases:// encrypts them",
                self._where,
            )
        connecting = in_thread(self._connect)
        try:
            client = await self._within(OPEN_LIMIT, connecting)
        except BaseException:
            # It may still come up after the time limit; nobody else would close it.
            connecting.add_done_callback(_close_late)
            raise
        self._connection = Connection(client)

    def _connect(self) -> "Client":
        # The import takes 0.2 s and loads a large library: only for those who use it.
        from orderapp.store.couchbase.connect import connect

        return connect(self._couchbase, read_only=self._read_only)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._shared_count.close()
        self._shared_count = self._new_count()
        if connection is not None:
            await connection.close()

    async def ping(self) -> None:
        """Ask the data service for a document that need not exist."""
        await self.story(0)

    async def story(self, order_id: int) -> OrderStory | None:
        """The order with its alerts and payment, by the ids of its documents."""
        return await self._read(lambda client: read.story(client, order_id))

    async def stored(self, order_ids: Sequence[int]) -> set[int]:
        """Which of these orders are stored, by the ids of their documents."""
        if not order_ids:
            return set()
        return await self._read(lambda client: read.stored(client, order_ids))

    async def latest(self, limit: int) -> list[OrderStory]:
        """The newest orders that the index knows of: it follows writes within moments."""
        return await self._read(lambda client: latest(client, limit))

    async def page(self, query: OrderQuery) -> OrderPage:
        """A page of the orders that the indexes know of; one answer looks at 500 at most."""
        return await self._read(lambda client: page(client, query))

    async def stats(self, since: int) -> Stats:
        """Totals up to 3 s old, or ten times as old as a round of counting takes: see `count`,
        and `slices` for documents that come late. Until the first count is done, it raises
        `StoreUnavailable`."""
        self._opened()
        return await self._shared_count.get(since)

    def _new_count(self) -> SharedCount:
        totals = Totals()

        async def count(since: int) -> Stats | None:
            opened = self._opened()
            advance = partial(totals.advance, opened.client, since)
            await self._within(COUNT_LIMIT, opened.counters.submit(advance))
            return totals.stats(since) if totals.is_complete else None

        return SharedCount(lambda: self.latest(1), count, lambda: totals.documents)

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """Documents of a type by order id; waits until the index has all that was written."""
        start = -1 if after is None else after
        return await self._read(
            lambda client: read.scan(client, kind, start, max(limit, 0)), SCAN_LIMIT
        )

    async def upsert(self, documents: Sequence[Document]) -> None:
        """Write one batch in parallel."""
        opened = self._opened()
        if documents:
            STORE_DOCUMENTS.observe(len(documents))
            await self._within(
                WRITE_LIMIT, opened.writers.submit(opened.client.upsert, documents)
            )

    async def reserve(self, wanted: Reservation) -> Reservation:
        """Insert a reservation, or get that of its key."""
        opened = self._opened()
        return await self._within(
            WRITE_LIMIT, opened.reservers.submit(opened.client.reserve, wanted)
        )

    async def replace_reservation(self, before: Reservation, after: Reservation) -> bool:
        """Replace a reservation that is still as it was, by its CAS."""
        opened = self._opened()
        return await self._within(
            WRITE_LIMIT,
            opened.reservers.submit(opened.client.replace_reservation, before, after),
        )

    async def _read(self, function: "Callable[[Client], T]", limit: float | None = None) -> T:
        opened = self._opened()
        reading = opened.readers.submit(function, opened.client)
        return await self._within(limit or READ_LIMIT, reading)

    def _opened(self) -> Connection:
        if self._connection is None:
            raise StoreUnavailable(f"{self._where}: the store is not open")
        return self._connection

    async def _within(self, limit: float, future: Future[T]) -> T:
        try:
            async with asyncio.timeout(limit):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            text = f"{self._where}: no answer within {limit:g} s"
            raise StoreUnavailable(text) from None


def _close_late(connecting: "Future[Client]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
