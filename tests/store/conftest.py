"""The stores under test. One double serves all tests; each gets it empty and healthy."""

import pytest

from orderapp.store.couchbase import CouchbaseStore, count, pages, read
from orderapp.store.couchbase import store as couchbase_store
from orderapp.store.sqlite import SQLiteStore
from orderapp.store.sqlite import store as sqlite_store
from tests.couchbase_double import couchbase_double


@pytest.fixture(autouse=True)
def patience(request, monkeypatch):
    """Calls end by limits for which a machine may pause, some of less than two seconds: only
    those tests have them that ask for `limits`."""
    if "limits" in request.fixturenames:
        return
    for module, name in (
        (sqlite_store, "READ_LIMIT"),
        (sqlite_store, "WRITE_LIMIT"),
        (couchbase_store, "READ_LIMIT"),
        (couchbase_store, "WRITE_LIMIT"),
        (read, "LIMIT"),
        (pages, "LIMIT"),
        (count, "PATIENCE"),
    ):
        monkeypatch.setattr(module, name, 60.0)


@pytest.fixture
def limits():
    """Those that the program has."""


@pytest.fixture(scope="session")
def running_double():
    with couchbase_double() as double:
        yield double


@pytest.fixture
def double(running_double):
    running_double.heal()
    running_double.clear()
    return running_double


@pytest.fixture
async def couchbase(double):
    store = CouchbaseStore(double.settings)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def sqlite(tmp_path):
    store = SQLiteStore(tmp_path / "orders.sqlite")
    await store.open()
    yield store
    await store.close()
