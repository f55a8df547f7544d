"""A store that is slow or refuses on purpose, around a real one."""

import asyncio
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

    async def _call(self, operation: str, call: Callable[[OrderStore], Awaitable[T]]) -> T:
        if self._faults.store_slow:
            await self._be_slow()
        if operation not in READS and self._faults.happens(self._faults.store_refuse):
            raise StoreUnavailable("refused on purpose (ORDERAPP_FAULT_STORE_REFUSE)")
        return await call(self._store)

    async def _be_slow(self) -> None:
        """Until the time is over, or the fault is switched off."""
        began = time.monotonic()
        while (left := began + self._faults.store_slow - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, LOOK_EVERY))
