"""Small changes that share a transaction: all that arrived while the thread did others."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from orderapp.store import StoreRejected
from orderapp.store.sqlite.schema import transaction
from orderapp.store.sqlite.thread import Answer, ConnectionThread, Outcome, answer_all

T = TypeVar("T")

Change = Callable[[sqlite3.Connection], Any]
Asked = tuple[Change, Answer]


class SharedTransactions:
    """Hands changes to the thread that writes: one sync to disk for all that wait.

    They go there and come back together, as reads do (`reader`): to hand over each by itself
    would cost ten times as much as the change."""

    def __init__(self, thread: ConnectionThread) -> None:
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Asked] = []
        self._is_busy = False

    def run(self, change: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """What `change` returns, when it is committed; errors come translated. Not run if
        cancelled before."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((change, answer))
        if not self._is_busy:
            self._is_busy = True
            # Not immediately: others may ask in the same turn of the loop.
            self._loop.call_soon(self.hand_over)
        return answer

    def hand_over(self) -> None:
        """Give the thread what waits, before it is closed too."""
        asked, self._waiting = self._waiting, []
        self._is_busy = bool(asked)
        if asked:
            self._thread.submit(lambda _: self._run(asked))

    def _run(self, asked: list[Asked]) -> None:
        asked = [each for each in asked if not each[1].cancelled()]
        self._loop.call_soon_threadsafe(self._end, self._outcomes(asked))

    def _outcomes(self, asked: list[Asked]) -> list[Outcome]:
        if not asked:
            return []
        results, error = self._thread.outcome(
            lambda connection: _change(connection, [change for change, _ in asked])
        )
        if isinstance(error, StoreRejected) and len(asked) > 1:
            # One that can't be must not take those of other callers with it.
            return [outcome for each in asked for outcome in self._outcomes([each])]
        results = results or [None] * len(asked)
        return [(each[1], found, error) for each, found in zip(asked, results, strict=True)]

    def _end(self, found: list[Outcome]) -> None:
        answer_all(found)
        self.hand_over()


def _change(connection: sqlite3.Connection, changes: list[Change]) -> list[Any]:
    with transaction(connection):
        return [change(connection) for change in changes]
