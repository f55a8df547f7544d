"""Orders in one SQLite file: the store that needs no server."""

from orderapp.store.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
