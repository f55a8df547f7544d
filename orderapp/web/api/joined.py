"""One read for all who ask for the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

#: Seconds that a read waits for the one before it: nobody should wait for a slow store twice.
PATIENCE = 0.1


class Joined(Generic[K]):
    """Shares one `read` among all who ask for the same key at the same time. The next read
    waits for the one before it, unless that one is slow.

    A caller who asks while a read is under way gets the next one, so that no answer is older
    than its question."""

    def __init__(self, read: Callable[[K], Awaitable[bytes]]) -> None:
        self._read = read
        #: By key: the read that is under way, and the one that will follow it.
        self._running: dict[K, asyncio.Task[bytes]] = {}
        self._next: dict[K, asyncio.Task[bytes]] = {}

    async def get(self, key: K) -> bytes:
        """What `read` returns for `key`, or raises, from now on."""
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._begin(key, self._running.get(key)))
            self._next[key] = task
            # Retrieved: whoever asked may have given up meanwhile.
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Start a new read for the next caller, whatever is under way."""
        self._running.clear()
        self._next.clear()

    async def _begin(self, key: K, before: asyncio.Task[bytes] | None) -> bytes:
        if before is not None:
            await asyncio.wait({before}, timeout=PATIENCE)
        task = asyncio.current_task()
        if task is not None and self._next.get(key) is task:
            self._running[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._running.get(key) is task:
                del self._running[key]
