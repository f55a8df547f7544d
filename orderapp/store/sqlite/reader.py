"""Reads that go to the reading thread, and come back, together."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from orderapp.store.sqlite.thread import Answer, ConnectionThread, Outcome, answer_all

T = TypeVar("T")

Read = Callable[[sqlite3.Connection], Any]

#: How many reads may wait until those that nobody waits for any more are dropped.
MANY = 256
#: Seconds for which an answer may wait for those that are read after it.
HOLD = 0.002


class Reader:
    """Hands reads to a thread: all that arrived while it was busy go there together.

    One order is read in some 30 µs; handing over a read and its answer takes several times as
    long."""

    def __init__(self, thread: ConnectionThread) -> None:
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Read, Answer]] = []
        self._is_busy = False
        self._many = MANY

    def read(self, read: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """What `read` returns or raises, errors translated; not run if cancelled before."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((read, answer))
        if len(self._waiting) > self._many:
            self._drop_cancelled()
        if not self._is_busy:
            self._is_busy = True
            # Not immediately: others may ask in the same turn of the loop.
            self._loop.call_soon(self._hand_over)
        return answer

    def _drop_cancelled(self) -> None:
        # While a disk hangs nothing is handed over, and all who ask give up after a while.
        self._waiting = [waits for waits in self._waiting if not waits[1].done()]
        # So that this costs each read little, however many are waiting.
        self._many = max(MANY, 2 * len(self._waiting))

    async def close(self) -> None:
        """Answer what was asked, and end the thread."""
        self._hand_over()
        await self._thread.close()

    def _hand_over(self) -> None:
        asked, self._waiting, self._many = self._waiting, [], MANY
        self._is_busy = bool(asked)
        if asked:
            self._thread.submit(lambda _: self._run(asked))

    def _run(self, asked: list[tuple[Read, Answer]]) -> None:
        found: list[Outcome] = []
        since = time.monotonic()
        for read, answer in asked:
            if answer.cancelled():
                continue
            found.append((answer, *self._thread.outcome(read)))
            if time.monotonic() - since > HOLD:
                self._loop.call_soon_threadsafe(answer_all, found)
                found, since = [], time.monotonic()
        self._loop.call_soon_threadsafe(self._end, found)

    def _end(self, found: list[Outcome]) -> None:
        answer_all(found)
        self._hand_over()
