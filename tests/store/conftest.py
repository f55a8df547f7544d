"""The stores under test. One double serves all tests; each gets it empty and healthy."""

import pytest

from orderapp.store.couchbase import CouchbaseStore
from orderapp.store.sqlite import SQLiteStore
from tests.couchbase_double import couchbase_double


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
