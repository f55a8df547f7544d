"""What stores around a store have in common."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from orderapp.store import (
    Document,
    OrderPage,
    OrderQuery,
    OrderStore,
    OrderStory,
    Reservation,
    Stats,
)

T = TypeVar("T")

#: The operations that only read.
READS = frozenset({"ping", "story", "stored", "latest", "page", "stats", "scan"})


class StoreWrapper:
    """`OrderStore` whose calls, but for `open` and `close`, go through one method."""

    def __init__(self, store: OrderStore) -> None:
        self._store = store
        super().__init__()

    async def _call(self, operation: str, call: Callable[[OrderStore], Awaitable[T]]) -> T:
        raise NotImplementedError

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def ping(self) -> None:
        await self._call("ping", lambda store: store.ping())

    async def upsert(self, documents: Sequence[Document]) -> None:
        await self._call("upsert", lambda store: store.upsert(documents))

    async def reserve(self, wanted: Reservation) -> Reservation:
        return await self._call("reserve", lambda store: store.reserve(wanted))

    async def replace_reservation(self, before: Reservation, after: Reservation) -> bool:
        return await self._call(
            "replace_reservation", lambda store: store.replace_reservation(before, after)
        )

    async def story(self, order_id: int) -> OrderStory | None:
        return await self._call("story", lambda store: store.story(order_id))

    async def stored(self, order_ids: Sequence[int]) -> set[int]:
        return await self._call("stored", lambda store: store.stored(order_ids))

    async def latest(self, limit: int) -> list[OrderStory]:
        return await self._call("latest", lambda store: store.latest(limit))

    async def page(self, query: OrderQuery) -> OrderPage:
        return await self._call("page", lambda store: store.page(query))

    async def stats(self, since: int) -> Stats:
        return await self._call("stats", lambda store: store.stats(since))

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        return await self._call("scan", lambda store: store.scan(kind, after, limit))
