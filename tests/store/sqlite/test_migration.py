"""Files of versions 1 to 6 (`version_1.sql` is a dump of one), opened by this orderapp."""

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from orderapp.store import (
    AlertDocument,
    CountryStats,
    OrderQuery,
    OrderStory,
    PaymentDocument,
    StoreRejected,
)
from orderapp.store.sqlite import SQLiteStore, schema
from tests.store.examples import alert, dead_letter, order, payment, shadow

DUMP = (Path(__file__).parent / "version_1.sql").read_text()
TIME = "2026-11-20T10:00:0{}.000000Z"
COUNTRIES = ["", "DE", "US", "IN", "DE"]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "orders.db"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP)
    connection.close()
    return path


@pytest.fixture
async def store(path):
    store = SQLiteStore(path)
    await store.open()
    yield store
    await store.close()


def place(i):
    return {"kafka_partition": i, "kafka_offset": i, "amount": 100.1 * i}


def old_order(i):
    created_at = TIME.format(i)
    return order(
        i, **place(i), customer_id=1000 + i, country=COUNTRIES[i], created_at=created_at
    )


def layout(connection):
    """Columns and indexes, however they came to be."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    return {
        name: [row[1:] for row in connection.execute(f"PRAGMA table_info({name})")]
        or [row[2] for row in connection.execute(f"PRAGMA index_info({name})")]
        for name in tables
    }


async def test_migrated_file_has_the_tables_of_a_new_one(store, path):
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(new)

    assert layout(sqlite3.connect(path)) == layout(new)


async def test_orders_of_version_1_are_there_with_what_belongs_to_them(store):
    of_order = {"country": "IN", "created_at": TIME.format(3)}
    found = alert(3, **place(3), **of_order, customer_id=1003, detected_at=TIME.format(4))
    paid = payment(3, **place(3), **of_order, paid_at=TIME.format(5))

    assert OrderStory(old_order(3), [found], paid) == await store.story(3)
    assert old_order(4) == (await store.story(4)).order


async def test_orders_of_version_1_are_listed(store):
    def listed(page):
        return [story.order.order_id for story in page.stories]

    assert listed(await store.page(OrderQuery())) == [4, 3, 2, 1]
    assert listed(await store.page(OrderQuery(country="DE"))) == [4, 1]
    assert listed(await store.page(OrderQuery(status="alert"))) == [4, 3]
    assert listed(await store.page(OrderQuery(status="declined"))) == [2]


async def test_payment_without_its_order_keeps_its_own_time(store):
    (lonely,) = await store.scan(PaymentDocument, 7, 1)

    assert lonely.created_at == TIME.format(8)
    assert lonely.country == ""


TOTALS = [
    CountryStats("DE", 2, 1, 1, 0, 100.1),
    CountryStats("IN", 1, 1, 1, 0, 300.3),
    CountryStats("US", 1, 0, 0, 1, 0.0),
    CountryStats("", 0, 0, 1, 0, 50.0),
    CountryStats("GB", 0, 1, 0, 0, 0.0),
]


async def test_orders_of_version_1_are_counted(store):
    assert (await store.stats(0)).countries == TOTALS


async def test_redelivered_orders_of_version_1_are_not_counted_again(store):
    again = [old_order(1), payment(1, amount=100.1, country="DE")]
    await store.upsert(again)

    assert (await store.stats(0)).countries == TOTALS


async def test_orders_of_the_last_day_are_activity(path):
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE orders SET created_at = strftime('%Y-%m-%dT%H:%M:%S.123456Z', 'now')"
            " WHERE order_id < 3"
        )
        connection.execute("UPDATE orders SET created_at = 'tomorrow' WHERE order_id = 4")
    connection.close()
    store = SQLiteStore(path)
    await store.open()

    stats = await store.stats(1_700_000_000)
    assert sum(span.orders for span in stats.activity) == 2
    assert sum(span.alerts for span in stats.activity) == 0
    await store.close()


async def test_file_is_migrated_once(path):
    for _ in range(2):
        store = SQLiteStore(path)
        await store.open()
        assert (await store.stats(0)).countries == TOTALS
        await store.close()


async def test_migration_that_fails_leaves_the_file_as_it_was(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE countries (somebody_elses TEXT)")
    connection.close()
    before = list(sqlite3.connect(path).iterdump())

    with pytest.raises(StoreRejected, match="countries"):
        await SQLiteStore(path).open()

    assert before == list(sqlite3.connect(path).iterdump())


async def test_file_is_left_as_it_is_by_those_who_only_read(path):
    before = path.read_bytes()
    store = SQLiteStore(path, read_only=True)

    with pytest.raises(StoreRejected, match="start a worker once, which brings it up to date"):
        await store.open()

    await store.close()
    assert path.read_bytes() == before


def dumped(path, name):
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / name).read_text())
    connection.close()
    return path


@pytest.fixture
def second(tmp_path):
    """A file of version 2."""
    return dumped(tmp_path / "second.db", "version_2.sql")


async def test_a_file_of_version_3_keeps_all_and_takes_what_was_found_in_the_shadow(tmp_path):
    path = dumped(tmp_path / "third.db", "version_3.sql")
    store = SQLiteStore(path)
    await store.open()
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(new)
    assert layout(sqlite3.connect(path)) == layout(new)

    when = {"created_at": TIME.format(1), "kafka_timestamp": 1795168801000}
    alerts = [alert(1, rule_version=2, detail="d", **when), alert(1, reason="OTHER", **when)]
    before = OrderStory(order(1, **when), alerts, payment(1, country="IN", **when))
    assert await store.story(1) == before
    assert await store.story(2) == OrderStory(order(2, **when), [], None, dead_letter(2))
    totals = [CountryStats("IN", 2, 2, 1, 0, 450.25)]
    assert (await store.stats(0)).countries == totals

    await store.upsert([shadow(1), shadow(2)])

    assert await store.story(1) == replace(before, shadow=[shadow(1)])
    assert (await store.stats(0)).countries == totals
    await store.close()


async def test_a_file_of_version_4_keeps_all_and_is_searched_by_customer_and_trace(tmp_path):
    path = dumped(tmp_path / "fourth.db", "version_4.sql")
    store = SQLiteStore(path)
    await store.open()
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(new)
    assert layout(sqlite3.connect(path)) == layout(new)

    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    when = {"created_at": TIME.format(1), "kafka_timestamp": 1795168801000}
    alerts = [alert(1, rule_version=2, detail="d", **when)]
    one = order(1, **when, customer_id=4321, trace_id=trace)
    paid = payment(1, country="IN", **when)
    story = OrderStory(one, alerts, paid, shadow=[shadow(1, **when)])
    assert await store.story(1) == story
    for asked in (OrderQuery(customer_id=4321), OrderQuery(trace_id=trace)):
        assert (await store.page(asked)).stories == [replace(story, shadow=[])]
    assert (await store.stats(0)).countries == [CountryStats("IN", 2, 1, 1, 0, 450.25)]
    await store.close()


async def test_a_file_of_version_5_keeps_all_and_takes_the_times_of_attempts(tmp_path):
    path = dumped(tmp_path / "fifth.db", "version_5.sql")
    store = SQLiteStore(path)
    await store.open()
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(new)
    assert layout(sqlite3.connect(path)) == layout(new)

    story = await store.story(1)
    assert (story.payment.attempts, story.payment.attempt_times) == (3, "")
    assert len(story.alerts) == len(story.shadow) == 1
    assert (await store.story(2)).dead_letter == dead_letter(2)
    totals = [CountryStats("IN", 2, 1, 1, 0, 450.25)]
    assert (await store.stats(0)).countries == totals

    # Kafka delivers it once more, sent by a newer payment service.
    again = replace(story.payment, attempt_times="a/b c/d", kafka_offset=99)
    await store.upsert([again])

    assert (await store.story(1)).payment == again
    assert (await store.stats(0)).countries == totals
    await store.close()


async def test_a_file_of_version_6_keeps_all_and_takes_what_could_not_be_judged(tmp_path):
    path = dumped(tmp_path / "sixth.db", "version_6.sql")
    store = SQLiteStore(path)
    await store.open()
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(new)
    assert layout(sqlite3.connect(path)) == layout(new)

    story = await store.story(1)
    (found,) = story.shadow
    assert not found.failed
    assert story.payment.attempt_times == "a/b c/d"

    await store.upsert([replace(found, reason="ODD", failed=True, detail="no number")])

    _, failed = (await store.story(1)).shadow
    assert (failed.reason, bool(failed.failed), failed.detail) == ("ODD", True, "no number")
    await store.close()


OF_2 = [
    CountryStats("DE", 2, 1, 0, 0, 0.0),
    CountryStats("IN", 1, 1, 1, 0, 301.5),
    CountryStats("US", 1, 0, 0, 0, 0.0),
    CountryStats("GB", 0, 1, 0, 0, 0.0),
]


async def test_a_file_of_version_2_keeps_all_and_takes_several_alerts_of_an_order(second):
    store = SQLiteStore(second)
    await store.open()
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(new)
    assert layout(sqlite3.connect(second)) == layout(new)

    story = await store.story(3)
    (before,) = story.alerts
    assert (before.reason, before.rule_version, before.detail) == (alert().reason, 0, "")
    assert (await store.stats(0)).countries == OF_2
    scanned = await store.scan(AlertDocument, None, 9)
    assert [one.order_id for one in scanned] == [3, 4, 9]

    again = replace(before, rule_version=1, kafka_offset=before.kafka_offset + 1)
    other = replace(again, reason="OTHER")
    await store.upsert([again, other])

    assert (await store.story(3)).alerts == [again, other]
    totals = {c.country: c.alerts for c in (await store.stats(0)).countries}
    assert totals == {"DE": 1, "IN": 2, "US": 0, "GB": 1}
    page = await store.page(OrderQuery(status="alert"))
    assert [story.order.order_id for story in page.stories] == [4, 3]
    await store.close()


async def test_an_older_file_is_not_changed_by_who_only_reads(second):
    before = second.read_bytes()
    store = SQLiteStore(second, read_only=True)

    with pytest.raises(
        StoreRejected, match=r"schema version 2 is older than this orderapp's 7"
    ):
        await store.open()
    assert second.read_bytes() == before
