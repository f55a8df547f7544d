"""A time limit that is set and cleared over and over."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls something after a time, unless it is cleared before."""

    __slots__ = ("_call", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._loop, self._call = loop, call
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Begin; it goes on when it has begun."""
        if self._handle is None:
            self._handle = self._loop.call_later(seconds, self._call)

    def clear(self) -> None:
        """Not now."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
