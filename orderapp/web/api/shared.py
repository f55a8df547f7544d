"""One answer for all who ask at the same time, and for a moment after that."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Shared:
    """One reading at a time, for all who ask meanwhile and in the next `fresh` seconds."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], fresh: float) -> None:
        self._read = read
        self._fresh = fresh
        self._reading: asyncio.Task[bytes] | None = None
        self._until = 0.0

    async def get(self) -> bytes:
        """The answer's JSON."""
        if self._reading is None or (self._reading.done() and time.monotonic() > self._until):
            self._reading = asyncio.create_task(self._once())
            # Retrieved: whoever asked may have given up meanwhile.
            self._reading.add_done_callback(lambda t: t.cancelled() or t.exception())
        return await asyncio.shield(self._reading)

    async def _once(self) -> bytes:
        try:
            return await self._read()
        finally:
            self._until = time.monotonic() + self._fresh

    def forget(self) -> None:
        """Start a new read for the next request."""
        self._reading = None
