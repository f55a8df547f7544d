"""A store that is slow or refuses on purpose, around a real one."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orderapp.store import OrderStore, StoreUnavailable
from orderapp.store.wrapper import READS, StoreWrapper

T = TypeVar("T")


class FaultyStore(StoreWrapper):
    """`OrderStore` that takes `slow` seconds longer for each call, and refuses this rate of
    the writes (0 to 1)."""

    def __init__(self, store: OrderStore, slow: float, refuse: float) -> None:
        super().__init__(store)
        self._slow = slow
        self._refuse = refuse

    async def open(self) -> None:
        """Not disturbed."""
        await self._store.open()

    async def close(self) -> None:
        """Not disturbed."""
        await self._store.close()

    async def _call(self, operation: str, call: Callable[[OrderStore], Awaitable[T]]) -> T:
        if self._slow:
            await asyncio.sleep(self._slow)
        if operation not in READS and random.random() < self._refuse:  # noqa: S311 - no secret
            raise StoreUnavailable("refused on purpose (ORDERAPP_FAULT_STORE_REFUSE)")
        return await call(self._store)
