"""Batches that share a transaction: all that arrived while the thread wrote others."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from orderapp.metrics import STORE_DOCUMENTS
from orderapp.store import StoreRejected
from orderapp.store.documents import Document
from orderapp.store.sqlite.thread import ConnectionThread
from orderapp.store.sqlite.write import write

#: Seconds after a write until the log is worked into the file, and without a write before that:
#: under load SQLite does it by itself.
TIDY_AFTER, REST = 30.0, 1.0

Batch = tuple[Sequence[Document], Future[None]]


class Writer:
    """Hands batches to a thread.

    Most of a small batch's time is the sync to disk, so one sync for 20 callers pays off."""

    def __init__(self, thread: ConnectionThread) -> None:
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Batch] = deque()
        self._written = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def write(self, documents: Sequence[Document]) -> asyncio.Future[None]:
        """Write one batch; its errors come translated."""
        self._written = self._loop.time()
        self._tidy_later(TIDY_AFTER)
        done: Future[None] = Future()
        self._waiting.append((documents, done))
        # Runs that find nothing left are free.
        self._thread.submit(self._write_waiting)
        return asyncio.wrap_future(done)

    async def close(self) -> None:
        """Write what waits, and end the thread."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._thread.close()

    def _tidy_later(self, seconds: float) -> None:
        if self._timer is None and not self._is_closed:
            self._timer = self._loop.call_later(seconds, self._tidy)

    def _tidy(self) -> None:
        self._timer = None
        if self._loop.time() - self._written < REST:
            self._tidy_later(REST)
            return
        tidying = asyncio.wrap_future(self._thread.submit(_empty_log))
        tidying.add_done_callback(self._tidied)

    def _tidied(self, tidying: asyncio.Future[bool]) -> None:
        if not tidying.cancelled() and (tidying.exception() or not tidying.result()):
            self._tidy_later(TIDY_AFTER)  # somebody reads or writes, or the disk is full

    def _write_waiting(self, _: sqlite3.Connection) -> None:
        batches = [self._waiting.popleft() for _ in range(len(self._waiting))]
        batches = [batch for batch in batches if batch[1].set_running_or_notify_cancel()]
        if batches:
            self._write(batches)

    def _write(self, batches: list[Batch]) -> None:
        documents = [documents for documents, _ in batches]
        STORE_DOCUMENTS.observe(sum(map(len, documents)))
        _, error = self._thread.outcome(lambda connection: write(connection, documents))
        if isinstance(error, StoreRejected) and len(batches) > 1:
            # One bad document must not take the batches of other callers with it.
            for batch in batches:
                self._write([batch])
            return
        for _, done in batches:
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Work the log of writes into the file, so that a copy of it has nearly all, and make the
    log empty; False if somebody is in the way, who is not waited for."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")
    return not is_busy
