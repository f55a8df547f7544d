"""Batches that share a transaction: all that arrived while the thread wrote others."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from orderapp.store import StoreRejected
from orderapp.store.documents import Document
from orderapp.store.sqlite.thread import ConnectionThread
from orderapp.store.sqlite.write import write

Batch = tuple[Sequence[Document], Future[None]]


class Writer:
    """Hands batches to a thread.

    Most of a small batch's time is the sync to disk, so one sync for 20 callers pays off."""

    def __init__(self, thread: ConnectionThread) -> None:
        self._thread = thread
        self._waiting: deque[Batch] = deque()

    def write(self, documents: Sequence[Document]) -> asyncio.Future[None]:
        """Write one batch; its errors come translated."""
        done: Future[None] = Future()
        self._waiting.append((documents, done))
        # Runs that find nothing left are free.
        self._thread.submit(self._write_waiting)
        return asyncio.wrap_future(done)

    async def close(self) -> None:
        """Write what waits, and end the thread."""
        await self._thread.close()

    def _write_waiting(self, _: sqlite3.Connection) -> None:
        batches = [self._waiting.popleft() for _ in range(len(self._waiting))]
        batches = [batch for batch in batches if batch[1].set_running_or_notify_cancel()]
        if batches:
            self._write(batches)

    def _write(self, batches: list[Batch]) -> None:
        documents = [documents for documents, _ in batches]
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
