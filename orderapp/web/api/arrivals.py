"""Waiting for an order to be stored: one look into the store for all who wait, at each tick."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from orderapp.app import app, store
from orderapp.store import StoreError

#: Seconds between two looks; after one that failed.
TICK, AFTER_FAILURE = 0.05, 1.0
#: How many may wait at a time.
MOST = 1_000


class Arrivals:
    """Wakes up who waits for an order. However many wait, the store is asked once for all of
    them, and not again before it has answered."""

    def __init__(self, stored: Callable[[Sequence[int]], Awaitable[set[int]]]) -> None:
        self._stored = stored
        self._waiting: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._looking: asyncio.Task[None] | None = None

    def has_room(self) -> bool:
        """Whether one more may wait."""
        return sum(map(len, self._waiting.values())) < MOST

    async def wait(self, order_id: int, seconds: float) -> None:
        """Return when the order is stored, the time is over, or the worker stops."""
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[order_id].add(arrived)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait({arrived}, timeout=seconds)
        finally:
            self._discard(order_id, arrived)

    def _discard(self, order_id: int, arrived: asyncio.Future[None]) -> None:
        self._waiting[order_id].discard(arrived)
        if not self._waiting[order_id]:
            del self._waiting[order_id]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            if not self._waiting:
                return
            try:
                found = await self._stored([*self._waiting])
            except StoreError:
                # Who waits is told by a look of its own, in the end.
                await asyncio.sleep(AFTER_FAILURE)
                continue
            for order_id in [*self._waiting] if app.should_stop else found:
                for arrived in self._waiting.get(order_id, ()):
                    if not arrived.done():
                        arrived.set_result(None)


arrivals = Arrivals(lambda order_ids: store.stored(order_ids))
