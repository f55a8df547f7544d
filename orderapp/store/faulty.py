"""A store that is slow or refuses on purpose, around a real one."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orderapp.settings import Faults
from orderapp.store import OrderStore, StoreUnavailable
from orderapp.store.wrapper import READS, StoreWrapper

T = TypeVar("T")

#: Seconds within which a call that waits follows a change.
LOOK_EVERY = 0.5


class FaultyStore(StoreWrapper):
    """`OrderStore` that is as slow as `faults` say, and refuses as many writes."""

    def __init__(self, store: OrderStore, faults: Faults) -> None:
        super().__init__(store)
        self._faults = faults

    async def open(self) -> None:
        """Not disturbed."""
        await self._store.open()

    async def close(self) -> None:
        """Not disturbed."""
        await self._store.close()

    async def _call(self, operation: str, call: Callable[[OrderStore], Awaitable[T]]) -> T:
        if self._faults.store_slow:
            await self._be_slow()
        rate = self._faults.store_refuse
        if rate and operation not in READS and random.random() < rate:  # noqa: S311 - no secret
            raise StoreUnavailable("refused on purpose (ORDERAPP_FAULT_STORE_REFUSE)")
        return await call(self._store)

    async def _be_slow(self) -> None:
        """Until the time is over, or the fault is switched off."""
        began = time.monotonic()
        while (left := began + self._faults.store_slow - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, LOOK_EVERY))
