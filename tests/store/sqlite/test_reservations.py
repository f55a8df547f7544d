"""Reservations in a SQLite file: in one of an earlier build, and how they make room."""

import asyncio
import sqlite3
import time

import pytest

from orderapp.store import Reservation, StoreRejected
from orderapp.store.sqlite import SQLiteStore
from tests.store.examples import order

NOW = int(time.time())


def reservation(n, expires=NOW + 60):
    fields = n, 1234, 350.25, "DE", "2026-11-29T10:00:00.000000Z", expires, "one"
    return Reservation(f"{n:032}", *fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders.db"


def count(path, table="reservations"):
    with sqlite3.connect(path) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


async def test_a_file_of_an_earlier_build_gets_the_table_and_keeps_its_orders(path):
    first = SQLiteStore(path)
    await first.open()
    await first.upsert([order(1)])
    await first.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE reservations")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    reader = SQLiteStore(path, read_only=True)
    await reader.open()  # which needs no such table
    await reader.close()

    store = SQLiteStore(path)
    await store.open()

    assert (await store.story(1)).order == order(1)
    assert await store.reserve(reservation(1)) == reservation(1)
    await store.close()
    with sqlite3.connect(path) as connection:
        # An older worker beside it, or the way back to one, is not refused.
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


async def test_expired_reservations_make_room_a_few_at_a_time(path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW)
    store = SQLiteStore(path)
    await store.open()
    for n in range(20):
        await store.reserve(reservation(n, NOW + 10))
    monkeypatch.setattr("time.time", lambda: NOW + 11)

    for n in range(5):
        await store.reserve(reservation(100 + n))
    assert count(path) == 20 - 2 * 5 + 5
    for n in range(6):
        await store.reserve(reservation(200 + n))
    assert count(path) == 11, "all that expired have gone, and no other"
    await store.close()


async def test_one_that_can_not_be_kept_fails_and_those_beside_it_are_kept(path):
    store = SQLiteStore(path)
    await store.open()

    bad, *good = await asyncio.gather(
        *(store.reserve(reservation(n)) for n in (2**70, 1, 2)), return_exceptions=True
    )
    assert isinstance(bad, StoreRejected)
    assert good == [reservation(1), reservation(2)]
    assert await store.reserve(reservation(3)) == reservation(3)
    await store.close()
