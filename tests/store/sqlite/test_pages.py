"""Pages and totals of the SQLite store: by indexes, bounded, and the same as by counting."""

import sqlite3
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderapp.store import STATUSES, OrderQuery
from orderapp.store.sqlite import pages, read, schema, search, write
from tests.store.examples import alert, dead_letter, order, payment
from tests.store.fake import MemoryStore


def empty():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)
    return connection


def walk(connection, limit, status=None, country=None, given_up=(), **narrow):
    """The ids of all pages, and how many pages there were."""
    found, count, after, given_up = [], 0, None, frozenset(given_up)
    while True:
        asked = OrderQuery(limit, after, country, status, given_up, **narrow)
        page = pages.page(connection, asked)
        found += [story.order.order_id for story in page.stories]
        count, after = count + 1, page.after
        if after is None:
            return found, count


# A walk reads from an index, and never the whole


@pytest.mark.parametrize("walk", pages.WALKS.values(), ids=map(str, pages.WALKS))
def test_pages_are_read_by_indexes(walk):
    plan = [row[3] for row in empty().execute("EXPLAIN QUERY PLAN " + walk, ("", 1, "", 1))]

    # The orders of one moment, then older ones; neither is sorted, so that LIMIT ends both.
    assert len([step for step in plan if "_by_time (created_at=? AND order_id<?)" in step]) == 1
    assert len([step for step in plan if "_by_time (created_at<?)" in step]) == 1
    assert not [step for step in plan if step.startswith(("SCAN", "USE TEMP B-TREE"))]


def test_a_few_dead_letters_are_all_that_is_read_for_them():
    statement = "EXPLAIN QUERY PLAN " + pages.FEW_OF_MANY
    plan = [row[3] for row in empty().execute(statement, ("", 1, "", 1, "[]"))]

    scans = {step for step in plan if step.startswith("SCAN")}
    assert scans == {"SCAN j VIRTUAL TABLE INDEX 1:"}


def test_search_by_country_looks_at_no_rows():
    statement = "EXPLAIN QUERY PLAN " + pages.WALKS[None]
    plan = [row[3] for row in empty().execute(statement, ("", 1, "", 1))]

    assert len([step for step in plan if "COVERING INDEX orders_by_time" in step]) == 2


@pytest.mark.parametrize("statement", [search.FOUND, search.END])
def test_search_by_customer_or_trace_looks_at_no_rows(statement):
    values = ("", 1, 1, 1, "", 1)[: 6 if statement == search.FOUND else 3]
    plan = [row[3] for row in empty().execute("EXPLAIN QUERY PLAN " + statement, values)]

    assert len([step for step in plan if "COVERING INDEX orders_by_time (" in step]) == 2
    assert not [step for step in plan if step.startswith("USE TEMP B-TREE")]


@pytest.mark.parametrize("field", [{"customer_id": 5555}, {"trace_id": "4bf9"}])
def test_search_for_few_goes_on_with_the_next_page(monkeypatch, field):
    monkeypatch.setattr(search, "WALK", 10)
    monkeypatch.setattr(search, "MOST", 3)
    connection = empty()
    wanted = {3, 20, 21, 22, 23, 24}
    orders = [order(i, **(field if i in wanted else {})) for i in range(35)]
    write.write(connection, [[*orders, payment(3)]])

    found = sorted(wanted, reverse=True)
    assert walk(connection, 50, **field) == (found, 5)
    assert walk(connection, 1, **field)[0] == found
    assert walk(connection, 50, status="paid", **field) == ([3], 5)
    other = {name: type(value)(1) for name, value in field.items()}
    assert walk(connection, 50, **other) == ([], 4)


def test_walk_without_a_find_goes_on_with_the_next_page(monkeypatch):
    monkeypatch.setattr(pages, "WALK", 10)
    connection = empty()
    write.write(connection, [[order(i, country="DE" if i == 3 else "US") for i in range(35)]])

    assert walk(connection, 50, country="DE") == ([3], 4)
    assert walk(connection, 50, status="paid") == ([], 4)
    assert walk(connection, 50, country="FR") == ([], 1)  # nobody from there at all


@pytest.mark.parametrize("count", [4, 5, 6, 12])
def test_given_orders_are_found_few_or_many(monkeypatch, count):
    monkeypatch.setattr(pages, "WALK", 7)
    monkeypatch.setattr(pages, "FEW", 5)
    connection = empty()
    write.write(connection, [[order(i) for i in range(20)]])

    found, _ = walk(connection, 2, status="dead_letter", given_up=range(count))
    assert found == list(reversed(range(count)))


def test_alerts_without_orders_do_not_hide_the_next_page(monkeypatch):
    monkeypatch.setattr(pages, "WALK", 3)
    connection = empty()
    alerts = [alert(i, created_at="t") for i in range(10)]
    write.write(connection, [[order(0, created_at="t"), *alerts]])

    assert walk(connection, 50, status="alert") == ([0], 4)


def test_orders_of_one_moment_are_paged_by_their_ids():
    connection = empty()
    write.write(connection, [[order(i) for i in range(1_000)]])

    assert walk(connection, 7) == (list(reversed(range(1_000))), 143)


def test_activity_older_than_a_day_is_forgotten_once_an_hour():
    connection = empty()
    hour = int(time.time()) // 3600 * 3_600_000
    old = [order(i, kafka_timestamp=hour - i * 3_600_000 + 60_000) for i in (24, 25, 30)]
    write.write(connection, [[order(1, kafka_timestamp=hour + 10_000), *old]])
    assert len(read.stats(connection, 0).activity) == 4

    write.write(connection, [[order(2, kafka_timestamp=hour + 9_999)]])
    kept = [span.start - hour // 1000 for span in read.stats(connection, 0).activity]
    assert kept[-2:] == [0, 10]
    assert kept[0] >= -25 * 3600 + 60


# The same as by looking at everything

IDS = st.integers(0, 12)
COUNTRIES = st.sampled_from(["DE", "US", ""])
NOW = int(time.time()) * 1000
STAMPS = st.integers(0, 30).map(lambda x: NOW + x * 4_000)
AMOUNTS = st.sampled_from([0.0, 0.1, 10.25, 499.99])


def fixed(order_id):
    """What is the same in every document of an order, whoever sends it."""
    return {"created_at": f"t{order_id // 4}", "country": ("DE", "US", "IN")[order_id % 3]}


def traced(order_id):
    """The same, of orders alone."""
    return {"customer_id": 1000 + order_id % 2, "trace_id": ("", "a", "b")[order_id // 2 % 3]}


ORDERS = IDS.map(lambda i: order(i, **fixed(i), **traced(i)))
ALERTS = IDS.map(lambda i: alert(i, **fixed(i)))
PAYMENTS = st.builds(
    lambda i, status: payment(i, status=status, **fixed(i)),
    IDS,
    st.sampled_from(["PAID", "DECLINED"]),
)
LETTERS = st.builds(
    lambda i, service: dead_letter(i, service=service),
    IDS,
    st.sampled_from(["payment", "fraud", "fraud,payment", "payments", "pay,ment"]),
)


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(st.one_of(ORDERS, ALERTS, PAYMENTS, LETTERS), max_size=40),
    status=st.sampled_from([None, *STATUSES]),
    country=st.sampled_from([None, "DE", "FR"]),
    limit=st.integers(1, 5),
    look=st.integers(1, 6),
    given_up=st.frozensets(IDS),
    narrow=st.fixed_dictionaries(
        {}, optional={"customer_id": st.just(1000), "trace_id": st.sampled_from(["a", "c"])}
    ),
)
async def test_pages_give_what_a_look_at_every_order_gives(
    documents, status, country, limit, look, given_up, narrow
):
    memory, connection = MemoryStore(), empty()
    await memory.open()
    await memory.upsert(documents)
    write.write(connection, [documents])
    whole = await memory.page(OrderQuery(100, None, country, status, given_up, **narrow))
    with pytest.MonkeyPatch.context() as patch:
        for module in (pages, search):
            patch.setattr(module, "WALK", look)
        patch.setattr(search, "MOST", look)
        patch.setattr(pages, "FEW", look)
        found, _ = walk(connection, limit, status, country, given_up, **narrow)

    assert found == [story.order.order_id for story in whole.stories]


CHANGING = st.one_of(
    st.builds(lambda i, c, t: order(i, country=c, kafka_timestamp=t), IDS, COUNTRIES, STAMPS),
    st.builds(lambda i, c, t: alert(i, country=c, kafka_timestamp=t), IDS, COUNTRIES, STAMPS),
    st.builds(
        lambda i, c, a, s: payment(i, country=c, amount=a, status=s),
        IDS,
        COUNTRIES,
        AMOUNTS,
        st.sampled_from(["PAID", "DECLINED", "OTHER"]),
    ),
    LETTERS,
)


@settings(max_examples=100, deadline=None)
@given(writes=st.lists(st.lists(CHANGING, max_size=12), max_size=6))
async def test_totals_are_what_counting_every_document_gives(writes):
    memory, connection = MemoryStore(), empty()
    await memory.open()
    for batch in writes:
        await memory.upsert(batch)
        write.write(connection, [batch])

    assert await memory.stats(0) == read.stats(connection, 0)


def test_an_order_is_listed_by_its_latest_alert_alone():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)
    # A sender repeats order 1 with another time: its alerts have one each.
    orders = [order(i, created_at=f"t{i}") for i in range(3)]
    alerts = [alert(i, created_at=f"t{i}") for i in range(3)]
    alerts.append(alert(1, created_at="t9", reason="LATER"))
    write.write(connection, [[*orders, *alerts]])

    assert walk(connection, 50, status="alert")[0] == [1, 2, 0]
    assert walk(connection, 1, status="alert")[0] == [1, 2, 0]
