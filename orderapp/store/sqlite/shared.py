"""Small changes that share a transaction: all that arrived while the thread did others."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from orderapp.store import StoreRejected
from orderapp.store.sqlite.schema import transaction
from orderapp.store.sqlite.thread import ConnectionThread

T = TypeVar("T")

Change = Callable[[sqlite3.Connection], Any]


class SharedTransactions:
    """Hands changes to the thread that writes: one sync to disk for all that wait."""

    def __init__(self, thread: ConnectionThread) -> None:
        self._thread = thread
        self._waiting: deque[tuple[Change, Future[Any]]] = deque()

    def run(self, change: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """What `change` returns, when it is committed; errors come translated."""
        done: Future[T] = Future()
        self._waiting.append((change, done))
        # Runs that find nothing left are free.
        self._thread.submit(self._run_waiting)
        return asyncio.wrap_future(done)

    def _run_waiting(self, _: sqlite3.Connection) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        waiting = [each for each in waiting if each[1].set_running_or_notify_cancel()]
        if waiting:
            self._run_together(waiting)

    def _run_together(self, waiting: list[tuple[Change, Future[Any]]]) -> None:
        changes = [change for change, _done in waiting]
        results, error = self._thread.outcome(lambda found: _run(found, changes))
        if isinstance(error, StoreRejected) and len(waiting) > 1:
            # One that can't be must not take those of other callers with it.
            for each in waiting:
                self._run_together([each])
            return
        for index, (_change, done) in enumerate(waiting):
            if results is None:
                done.set_exception(error)
            else:
                done.set_result(results[index])


def _run(connection: sqlite3.Connection, changes: list[Change]) -> list[Any]:
    with transaction(connection):
        return [change(connection) for change in changes]
