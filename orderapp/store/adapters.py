"""Which store the settings ask for."""

from orderapp.settings import Settings
from orderapp.store import OrderStore
from orderapp.store.faulty import FaultyStore

#: What SQLite may make in the data directory.
FILES = tuple(f"orders.db{end}" for end in ("", "-wal", "-shm", "-journal"))


def store_for(settings: Settings, *, read_only: bool = False) -> OrderStore:
    """The store that the settings ask for, not opened. `read_only`: as `OrderStore.open`."""
    store = _adapter(settings, read_only=read_only)
    if settings.live_faults or settings.faults.on():
        return FaultyStore(store, settings.faults)
    return store


def _adapter(settings: Settings, *, read_only: bool) -> OrderStore:
    # Each adapter imports what it alone needs.
    if settings.couchbase is None:
        from orderapp.store.sqlite import SQLiteStore

        path = settings.data_dir / FILES[0]
        return SQLiteStore(path, read_only=read_only, keep_days=settings.keep_days)
    from orderapp.store.couchbase import CouchbaseStore

    return CouchbaseStore(settings.couchbase, read_only=read_only)
