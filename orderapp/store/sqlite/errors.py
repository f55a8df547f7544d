"""What the errors of SQLite mean to the caller of a store."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orderapp.store import StoreRejected, StoreUnavailable

_PASSING = {
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_LOCKED: "locked by another process",
    sqlite3.SQLITE_PROTOCOL: "locked by another process",
    sqlite3.SQLITE_FULL: "disk full",
    sqlite3.SQLITE_IOERR: "disk error or disk full",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
}


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turn what SQLite and Python raise into a `StoreError` of one line with the path."""
    try:
        yield
    except StoreRejected as error:
        raise StoreRejected(f"{path}: {error}") from None
    except sqlite3.Error as error:
        # The low byte is the primary code. Errors of Python's own binding have no code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _PASSING:
            raise StoreUnavailable(f"{path}: {_PASSING[code]} ({error})") from error
        raise StoreRejected(f"{path}: {error}") from error
    except (OSError, OverflowError, UnicodeError) as error:
        raise StoreRejected(f"{path}: {' '.join(str(error).split())}") from error
    except MemoryError as error:
        raise StoreUnavailable(f"{path}: out of memory") from error
