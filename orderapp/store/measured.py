"""Times the calls of a store."""

import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from orderapp.metrics import STORE
from orderapp.store import (
    Document,
    OrderPage,
    OrderQuery,
    OrderStore,
    OrderStory,
    Stats,
    StoreError,
    StoreRejected,
)

T = TypeVar("T")


class MeasuredStore:
    """`OrderStore` whose calls show in the metrics, with their results."""

    def __init__(self, store: OrderStore) -> None:
        self._store = store

    async def open(self) -> None:
        """See `OrderStore`."""
        await _timed("open", self._store.open())

    async def close(self) -> None:
        """See `OrderStore`."""
        await self._store.close()

    async def ping(self) -> None:
        """See `OrderStore`."""
        await _timed("ping", self._store.ping())

    async def upsert(self, documents: Sequence[Document]) -> None:
        """See `OrderStore`."""
        await _timed("upsert", self._store.upsert(documents))

    async def story(self, order_id: int) -> OrderStory | None:
        """See `OrderStore`."""
        return await _timed("story", self._store.story(order_id))

    async def latest(self, limit: int) -> list[OrderStory]:
        """See `OrderStore`."""
        return await _timed("latest", self._store.latest(limit))

    async def page(self, query: OrderQuery) -> OrderPage:
        """See `OrderStore`."""
        return await _timed("page", self._store.page(query))

    async def stats(self, since: int) -> Stats:
        """See `OrderStore`."""
        return await _timed("stats", self._store.stats(since))

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """See `OrderStore`."""
        return await _timed("scan", self._store.scan(kind, after, limit))


async def _timed(operation: str, call: Awaitable[T]) -> T:
    # What is neither answered nor an error of the store's was given up by the caller.
    began, result = time.perf_counter(), "cancelled"
    try:
        answer = await call
    except StoreError as error:
        result = "rejected" if isinstance(error, StoreRejected) else "unavailable"
        raise
    else:
        result = "ok"
        return answer
    finally:
        STORE.labels(operation, result).observe(time.perf_counter() - began)
