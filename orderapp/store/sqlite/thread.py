"""A thread with its own SQLite connection."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from orderapp.engine.private import opener
from orderapp.store import StoreUnavailable
from orderapp.store.sqlite.errors import translating

log = logging.getLogger(__name__)

T = TypeVar("T")

Answer = asyncio.Future[Any]
#: What a call in the thread has given its caller: a result, or an error.
Outcome = tuple[Answer, Any, BaseException | None]

# Seconds. An open may have to bring an older file up to date: 10 s for a million orders.
OPEN_LIMIT = 600.0
CLOSE_LIMIT = 1.0


class ConnectionThread:
    """A thread with its own connection: what is submitted runs there, one after the other."""

    def __init__(
        self, path: Path, thread: ThreadPoolExecutor, connection: sqlite3.Connection
    ) -> None:
        self._path, self._thread, self._connection = path, thread, connection

    def submit(self, function: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Call `function` in the thread."""
        return self._thread.submit(function, self._connection)

    def outcome(
        self, function: Callable[[sqlite3.Connection], T]
    ) -> tuple[T | None, BaseException | None]:
        """What `function` returns, or raises, translated; for the thread itself."""
        try:
            with translating(self._path):
                return function(self._connection), None
        except BaseException as error:  # somebody awaits it
            return None, error

    async def close(self) -> None:
        """Close the connection after what was submitted before, and end the thread."""
        closing = asyncio.wrap_future(self.submit(sqlite3.Connection.close))
        self._thread.shutdown(wait=False)
        # Bounded: a disk that hangs must not hold up the worker's end.
        await asyncio.wait([closing], timeout=CLOSE_LIMIT)
        if not closing.done() or closing.exception():
            log.warning("%s did not close: what was committed is safe", self._path)


def answer_all(found: list[Outcome]) -> None:
    """Give results and errors to those who wait for them; in the event loop."""
    for answer, result, error in found:
        if answer.done():
            continue  # given up meanwhile
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)


async def open_connection(
    path: Path,
    lock_wait: float,
    prepare: Callable[[sqlite3.Connection], None],
    *,
    name: str,
    create: bool = True,
) -> ConnectionThread:
    """Start a thread of this name, and open and prepare its connection there.

    Not `create`: only to read, a file that is there."""
    thread = ThreadPoolExecutor(1, thread_name_prefix=name)
    try:
        connecting = thread.submit(_connect, path, lock_wait, prepare, create=create)
        async with asyncio.timeout(OPEN_LIMIT):
            connection = await asyncio.wrap_future(connecting)
    except BaseException as error:  # also when cancelled: the thread must end
        thread.shutdown(wait=False)
        if isinstance(error, TimeoutError):
            raise StoreUnavailable(f"{path}: no answer within {OPEN_LIMIT:g} s") from None
        raise
    return ConnectionThread(path, thread, connection)


def _connect(
    path: Path, lock_wait: float, prepare: Callable[[sqlite3.Connection], None], *, create: bool
) -> sqlite3.Connection:
    with translating(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'rwc' if create else 'ro'}",
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
    return connection


def _make(path: Path) -> None:
    """Make an empty file for its owner alone; SQLite makes others with its mode.

    A file that is there is not even opened: closing it would drop the locks of all connections
    that this process has to it."""
    with suppress(FileExistsError):
        os.close(opener(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL))
