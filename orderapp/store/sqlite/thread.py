"""A thread with its own SQLite connection."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from orderapp.store import StoreUnavailable
from orderapp.store.sqlite.errors import translating

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds. An open may have to bring an older file up to date: 10 s for a million orders.
OPEN_LIMIT = 600.0
CLOSE_LIMIT = 1.0


class ConnectionThread:
    """A thread with its own connection: what is submitted runs there, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection

    def connect(
        self,
        lock_wait: float,
        prepare: Callable[[sqlite3.Connection], None],
        *,
        create: bool = True,
    ) -> None:
        """Connect and prepare the connection; for the thread itself.

        Not `create`: only to read, a file that is there."""
        with translating(self._path):
            if create:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={'rwc' if create else 'ro'}",
                uri=True,
                timeout=lock_wait,
                isolation_level=None,
                cached_statements=64,
            )
            try:
                prepare(connection)
            except BaseException:
                connection.close()
                raise
        self._connection = connection

    def submit(self, function: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Call `function` in the thread."""
        return self.thread.submit(lambda: function(self._connection))

    def outcome(
        self, function: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection
    ) -> tuple[T | None, BaseException | None]:
        """What `function` returns, or raises, translated; for the thread itself."""
        try:
            with translating(self._path):
                return function(connection), None
        except BaseException as error:  # somebody awaits it
            return None, error

    async def close(self) -> None:
        """Close the connection after what was submitted before, and end the thread."""
        closing = asyncio.wrap_future(self.submit(sqlite3.Connection.close))
        self.thread.shutdown(wait=False)
        # Bounded: a disk that hangs must not hold up the worker's end.
        await asyncio.wait([closing], timeout=CLOSE_LIMIT)
        if not closing.done() or closing.exception():
            log.warning("%s did not close: what was committed is safe", self._path)


async def open_connection(
    path: Path,
    lock_wait: float,
    prepare: Callable[[sqlite3.Connection], None],
    *,
    create: bool = True,
) -> ConnectionThread:
    """Start a thread and open its connection there."""
    opened = ConnectionThread(path)
    try:
        connecting = opened.thread.submit(opened.connect, lock_wait, prepare, create=create)
        async with asyncio.timeout(OPEN_LIMIT):
            await asyncio.wrap_future(connecting)
    except BaseException as error:  # also when cancelled: the thread must end
        opened.thread.shutdown(wait=False)
        if isinstance(error, TimeoutError):
            raise StoreUnavailable(f"{path}: no answer within {OPEN_LIMIT:g} s") from None
        raise
    return opened
