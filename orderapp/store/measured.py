"""Times the calls of a store."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orderapp.metrics import STORE
from orderapp.store import OrderStore, StoreError, StoreRejected
from orderapp.store.wrapper import StoreWrapper

T = TypeVar("T")


class MeasuredStore(StoreWrapper):
    """`OrderStore` whose calls show in the metrics, with their results."""

    async def open(self) -> None:
        await _timed("open", self._store.open())

    async def _call(self, operation: str, call: Callable[[OrderStore], Awaitable[T]]) -> T:
        return await _timed(operation, call(self._store))


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
