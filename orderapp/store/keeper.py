"""Opens the store when it can be opened, and closes it: the owner of its lifetime."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from mode import Service

from orderapp.settings import Couchbase, Settings
from orderapp.store import (
    Document,
    OrderPage,
    OrderQuery,
    OrderStore,
    OrderStory,
    Stats,
    StoreError,
    StoreRejected,
    StoreUnavailable,
)

logger = logging.getLogger(__name__)

LONGEST_WAIT = 10.0


def store_for(settings: Settings, *, read_only: bool = False) -> OrderStore:
    """The store that the settings ask for, not opened. `read_only`: as `OrderStore.open`."""
    store = _adapter(settings.couchbase, settings.data_dir, read_only=read_only)
    faults = settings.faults
    if not (faults.store_slow or faults.store_refuse):
        return store
    from orderapp.store.faulty import FaultyStore

    return FaultyStore(store, faults.store_slow, faults.store_refuse)


def _adapter(couchbase: Couchbase | None, data_dir: Path, *, read_only: bool) -> OrderStore:
    # Each adapter imports what only it needs.
    if couchbase is None:
        from orderapp.store.sqlite import SQLiteStore

        return SQLiteStore(data_dir / "orders.db", read_only=read_only)
    from orderapp.store.couchbase import CouchbaseStore

    return CouchbaseStore(
        couchbase.connection_string,
        couchbase.username,
        couchbase.password,
        couchbase.bucket,
        read_only=read_only,
    )


class StoreKeeper(Service):
    """An `OrderStore` that a worker can start with while the real one is away.

    `rejected` is called with the reason when it will never open."""

    def __init__(self, store: OrderStore, rejected: Callable[[StoreRejected], None]) -> None:
        self._store = store
        self._rejected = rejected
        self._missing: StoreError | None = StoreUnavailable("the store is not open yet")
        super().__init__()

    async def on_start(self) -> None:
        """Begin to open the store; the worker does not wait for it."""
        self.add_future(self._open())

    async def _open(self) -> None:
        wait = 0.5
        while True:
            try:
                await self._store.open()
            except StoreRejected as error:
                self._missing = error
                self._rejected(error)
                return
            except StoreUnavailable as error:
                self._missing = error
                logger.warning("store: %s (next try in %.1f s)", error, wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                self._missing = None
                return

    async def on_stop(self) -> None:
        """Close the store."""
        await self._store.close()

    def _opened(self) -> OrderStore:
        if self._missing is not None:
            raise type(self._missing)(str(self._missing))
        return self._store

    async def ping(self) -> None:
        """See `OrderStore`."""
        await self._opened().ping()

    async def upsert(self, documents: Sequence[Document]) -> None:
        """See `OrderStore`."""
        await self._opened().upsert(documents)

    async def story(self, order_id: int) -> OrderStory | None:
        """See `OrderStore`."""
        return await self._opened().story(order_id)

    async def latest(self, limit: int) -> list[OrderStory]:
        """See `OrderStore`."""
        return await self._opened().latest(limit)

    async def page(self, query: OrderQuery) -> OrderPage:
        """See `OrderStore`."""
        return await self._opened().page(query)

    async def stats(self, since: int) -> Stats:
        """See `OrderStore`."""
        return await self._opened().stats(since)

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """See `OrderStore`."""
        return await self._opened().scan(kind, after, limit)
