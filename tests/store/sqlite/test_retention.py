"""Orders that are old enough are deleted, a few at a time, with what belongs to them."""

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from orderapp.models import DAY_MS, format_time
from orderapp.store import CountryStats, StoreUnavailable
from orderapp.store.sqlite import SQLiteStore, retention
from orderapp.store.sqlite.schema import TABLES
from tests.store.examples import alert, dead_letter, order, payment, shadow

DAYS = 30


def at(days_ago):
    """The fields of a time: that of an order, and of its record."""
    ms = round(time.time() * 1000 - days_ago * DAY_MS)
    return {"created_at": text(days_ago), "kafka_timestamp": ms}


def text(days_ago):
    return format_time(datetime.fromtimestamp(time.time() - days_ago * 86_400, UTC))


def all_of(order_id, days_ago):
    when = at(days_ago)
    return [
        order(order_id, **when),
        alert(order_id, **when),
        alert(order_id, reason="OTHER", **when),
        shadow(order_id, **when),
        payment(order_id, country="IN", **when),
        dead_letter(order_id, kafka_timestamp=when["kafka_timestamp"]),
    ]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders.db"


async def filled(path, documents):
    """A store's file with these."""
    store = SQLiteStore(path)
    await store.open()
    await store.upsert(documents)
    await store.close()


async def kept(path, monkeypatch, until=None, days=DAYS):
    """The ids that each table has, after a store that keeps so many days has had its look."""
    monkeypatch.setattr(retention, "SHORTEST", 0.0)
    store = SQLiteStore(path, keep_days=days)
    await store.open()
    found = await eventually_ids(path, until, seconds=20 if until else 1)
    stats = await store.stats(0)
    await store.close()
    return found, stats


async def eventually_ids(path, until, seconds=20):
    """The ids of each table, when they are those, or the time is over."""
    for _ in range(seconds * 50):
        if ids(path) == until:
            break
        await asyncio.sleep(0.02)
    return ids(path)


def ids(path):
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: {row[0] for row in connection.execute(f"SELECT order_id FROM {table}")}
            for table in TABLES.values()
        }


def every(*found):
    return {table: set(found) for table in TABLES.values()}


async def test_what_is_older_goes_with_all_that_belongs_to_it(path, monkeypatch):
    await filled(path, [*all_of(1, DAYS + 0.01), *all_of(2, DAYS - 0.01), *all_of(3, 0)])

    found, stats = await kept(path, monkeypatch, until=every(2, 3))

    assert found == every(2, 3)
    assert stats.countries == [CountryStats("IN", 2, 4, 2, 0, 900.5)]


async def test_a_country_whose_orders_are_gone_is_gone(path, monkeypatch):
    amounts = [0.1, 0.2, 0.3, 1e6 + 0.1]
    old = [payment(n, amount=a, country="IN", **at(99)) for n, a in enumerate(amounts)]
    await filled(path, [*[order(n, **at(99)) for n in range(4)], *old])

    _, stats = await kept(path, monkeypatch, until=every())

    assert stats.countries == []


@pytest.mark.parametrize(
    "when",
    [
        # A sender has dated it back: it has just come.
        {**at(0), "created_at": "2001-01-01T00:00:00.000000Z"},
        # An old record, of a sender whose clock was ahead.
        {**at(DAYS + 0.5), "created_at": text(DAYS - 0.4)},
    ],
)
async def test_both_the_order_and_its_record_have_to_be_old(path, monkeypatch, when):
    await filled(path, [order(1, **when)])

    found, _ = await kept(path, monkeypatch)

    assert found["orders"] == {1}


async def test_many_are_deleted_in_steps_and_those_in_between_stay(path, monkeypatch):
    monkeypatch.setattr(retention, "STEP", 10)
    old = [order(n, **at(99)) for n in range(95)]
    late = [
        order(n, **{**at(99), "kafka_timestamp": at(0)["kafka_timestamp"]}) for n in (95, 96)
    ]
    await filled(path, [*old, *late, order(99, **at(1))])
    steps = []
    delete = retention.delete

    def counted(*args, **kwargs):
        steps.append(kwargs["after"])
        return delete(*args, **kwargs)

    monkeypatch.setattr(retention, "delete", counted)

    found, _ = await kept(path, monkeypatch, until={**every(), "orders": {95, 96, 99}})

    assert found["orders"] == {95, 96, 99}
    assert len(steps) == 10
    assert steps == sorted(set(steps))


async def test_without_days_everything_stays(path, monkeypatch):
    await filled(path, all_of(1, 9_999))

    found, _ = await kept(path, monkeypatch, days=None)

    assert found == every(1)


async def test_a_reader_deletes_nothing(path):
    await filled(path, all_of(1, 9_999))
    store = SQLiteStore(path, read_only=True, keep_days=1)
    await store.open()
    await asyncio.sleep(0.2)
    await store.close()

    assert ids(path) == every(1)


async def test_a_store_that_is_in_the_way_is_told_and_asked_again(monkeypatch, caplog):
    monkeypatch.setattr(retention, "EVERY", 0.01)
    errors, again = [StoreUnavailable("it is locked")], asyncio.Event()

    async def change(_):
        if errors:
            raise errors.pop()
        again.set()

    keeping = asyncio.create_task(retention.keep(1, change))
    await again.wait()
    keeping.cancel()

    assert caplog.messages == [
        "old orders are not deleted: it is locked (next attempt in 0.01 s)"
    ]


async def test_a_later_look_finds_what_has_grown_old(path, monkeypatch):
    monkeypatch.setattr(retention, "EVERY", 0.05)
    store = SQLiteStore(path, keep_days=1)
    await store.open()
    await asyncio.sleep(0.1)
    await store.upsert([order(1, **at(2)), order(2, **at(0))])
    found = await eventually_ids(path, {**every(), "orders": {2}})
    await store.close()

    assert found["orders"] == {2}
