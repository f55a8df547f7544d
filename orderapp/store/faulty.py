"""A store that is slow or refuses on purpose, around a real one."""

import asyncio
import random
from collections.abc import Sequence

from orderapp.store import (
    Document,
    OrderPage,
    OrderQuery,
    OrderStore,
    OrderStory,
    Stats,
    StoreUnavailable,
)


class FaultyStore:
    """`OrderStore` that takes `slow` seconds longer for each call, and refuses this rate of
    the writes (0 to 1)."""

    def __init__(self, store: OrderStore, slow: float, refuse: float) -> None:
        self._store = store
        self._slow = slow
        self._refuse = refuse

    async def _delayed(self) -> OrderStore:
        if self._slow:
            await asyncio.sleep(self._slow)
        return self._store

    async def open(self) -> None:
        """Not disturbed."""
        await self._store.open()

    async def close(self) -> None:
        """Not disturbed."""
        await self._store.close()

    async def ping(self) -> None:
        """See `OrderStore`."""
        await (await self._delayed()).ping()

    async def upsert(self, documents: Sequence[Document]) -> None:
        """See `OrderStore`."""
        store = await self._delayed()
        if random.random() < self._refuse:  # noqa: S311 - no secret
            raise StoreUnavailable("refused on purpose (ORDERAPP_FAULT_STORE_REFUSE)")
        await store.upsert(documents)

    async def story(self, order_id: int) -> OrderStory | None:
        """See `OrderStore`."""
        return await (await self._delayed()).story(order_id)

    async def latest(self, limit: int) -> list[OrderStory]:
        """See `OrderStore`."""
        return await (await self._delayed()).latest(limit)

    async def page(self, query: OrderQuery) -> OrderPage:
        """See `OrderStore`."""
        return await (await self._delayed()).page(query)

    async def stats(self, since: int) -> Stats:
        """See `OrderStore`."""
        return await (await self._delayed()).stats(since)

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """See `OrderStore`."""
        return await (await self._delayed()).scan(kind, after, limit)
