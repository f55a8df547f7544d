"""Opens the store as soon as that is possible, and closes it: the owner of its lifetime."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mode import Service

from orderapp.engine.observe.held_up import standing_still
from orderapp.store import OrderStore, StoreError, StoreRejected, StoreUnavailable
from orderapp.store.wrapper import READS, StoreWrapper

logger = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_WAIT = 10.0
#: Seconds after which a write that has neither succeeded nor failed makes the worker unready.
SLOW_WRITE = 3.0


class StoreKeeper(StoreWrapper, Service):
    """An `OrderStore` that a worker can start with while the real one is away.

    `rejected` is called with the reason if it will never open."""

    def __init__(self, store: OrderStore, rejected: Callable[[StoreRejected], None]) -> None:
        self._rejected = rejected
        self._missing: StoreError | None = StoreUnavailable("the store is not open yet")
        super().__init__(store)

    @property
    def has_opened(self) -> bool:
        """Whether the store was there once."""
        return self._missing is None

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
                logger.warning("store: %s (next attempt in %.1f s)", error, wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                self._missing = None
                return

    async def on_stop(self) -> None:
        await self._store.close()

    async def _call(self, operation: str, call: Callable[[OrderStore], Awaitable[T]]) -> T:
        if self._missing is not None:
            raise type(self._missing)(str(self._missing))
        if operation in READS:
            return await call(self._store)
        with standing_still.waiting_after(SLOW_WRITE, f"store: {operation}"):
            return await call(self._store)
