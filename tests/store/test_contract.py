"""What every store does: memory, SQLite, Couchbase (the double, and a server if there is one).

The server's bucket keeps the documents of every run.
"""

import asyncio
import os
import time
import uuid

import pytest
from msgspec.structs import replace

from orderapp.couchbase_settings import Couchbase
from orderapp.environ import Environ
from orderapp.store import (
    STATUSES,
    Activity,
    AlertDocument,
    CountryStats,
    DeadLetterDocument,
    OrderDocument,
    OrderQuery,
    OrderStory,
    PaymentDocument,
    Reservation,
    ShadowDocument,
    StoreError,
)
from orderapp.store.couchbase import CouchbaseStore
from orderapp.store.sqlite import SQLiteStore
from tests.store.examples import alert, dead_letter, order, payment, shadow
from tests.store.fake import MemoryStore

SERVER = "ORDERAPP_TEST_COUCHBASE"


def server_store():
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} (with _USERNAME, _PASSWORD, _BUCKET) names no Couchbase server")
    names = ("USERNAME", "PASSWORD", "BUCKET", "SCOPE", "COLLECTION", "CA_FILE")
    environ = {f"COUCHBASE_{name}": os.environ.get(f"{SERVER}_{name}", "") for name in names}
    couchbase = Couchbase.from_env(Environ(environ | {"COUCHBASE_HOST": os.environ[SERVER]}))
    assert couchbase is not None
    return CouchbaseStore(couchbase)


@pytest.fixture(params=["memory", "sqlite", "double", "server"])
async def store(request, tmp_path):
    if request.param == "memory":
        store = MemoryStore()
    elif request.param == "sqlite":
        store = SQLiteStore(tmp_path / "orders.sqlite")
    elif request.param == "double":
        store = CouchbaseStore(request.getfixturevalue("double").settings)
    else:
        store = server_store()
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def n():
    """An order id above which a bucket that is in use has no documents yet."""
    return time.time_ns() // 1_000


def at(order_id, step=0):
    """A time after all others in the store, also after those of an earlier run."""
    return f"9{order_id:016d}T{step:02d}"


async def latest(store, limit, expected):
    """The latest orders; a server's index follows the documents with a delay."""
    deadline = time.monotonic() + 10
    while (found := await store.latest(limit)) != expected and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        if not isinstance(store, CouchbaseStore):
            break
    return found


async def test_unknown_order_has_no_story(store, n):
    assert await store.story(n) is None


async def test_empty_batch_changes_nothing(store, n):
    await store.upsert([])

    assert await store.story(n) is None


async def test_order_alone_is_a_story_without_alert_and_payment(store, n):
    await store.upsert([order(n)])

    assert OrderStory(order(n), [], None) == await store.story(n)


async def test_mixed_batch_becomes_one_story(store, n):
    await store.upsert([payment(n), dead_letter(n), shadow(n), alert(n), order(n)])

    story = OrderStory(order(n), [alert(n)], payment(n), dead_letter(n), [shadow(n)])
    assert story == await store.story(n)


async def test_documents_of_an_unknown_order_show_up_once_it_arrives(store, n):
    await store.upsert([payment(n), alert(n), dead_letter(n)])
    assert await store.story(n) is None

    await store.upsert([order(n)])
    story = OrderStory(order(n), [alert(n)], payment(n), dead_letter(n))
    assert story == await store.story(n)


async def test_each_rule_has_its_alert_of_an_order(store, n):
    made = [alert(n, reason=reason, detail=reason.lower()) for reason in ("C", "A", "B")]
    await store.upsert([order(n, created_at=at(n)), made[0]])

    await store.upsert(made[1:])
    await store.upsert([*made, made[1]])

    story = OrderStory(order(n, created_at=at(n)), [made[1], made[2], made[0]], None)
    assert await store.story(n) == story
    assert await latest(store, 1, [story]) == [story]


async def test_an_order_with_several_alerts_is_listed_once(store, n):
    orders = [order(n + i, created_at=at(n, i)) for i in range(4)]
    made = [
        alert(o.order_id, created_at=o.created_at, reason=reason)
        for o in orders
        for reason in ("A", "B", "C")
    ]
    await store.upsert([*orders, *made])

    deadline = time.monotonic() + 10
    while (found := await ids_by_alert(store, n)) != [n + 3, n + 2, n + 1, n]:
        if not isinstance(store, CouchbaseStore) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    assert found == [n + 3, n + 2, n + 1, n]


async def ids_by_alert(store, n):
    """Orders with an alert, from page to page."""
    found, after = [], None
    while True:
        page = await store.page(OrderQuery(limit=2, status="alert", after=after))
        found += [story.order.order_id for story in page.stories]
        after = page.after
        if after is None or found[-1:] < [n]:
            return [order_id for order_id in found if order_id >= n]


async def test_every_alert_is_counted_once(store, n):
    country = {"country": f"C{n}"}
    made = [alert(n, reason=reason, **country) for reason in ("A", "B")]

    await store.upsert([order(n, **country), *made])
    await store.upsert([*made, alert(n, reason="C", **country)])

    await assert_total(store, n, orders=1, alerts=3)


async def test_what_rules_in_the_shadow_have_found_is_no_alert(store, n):
    country, when = {"country": f"C{n}"}, {"created_at": at(n)}
    one = order(n, **country, **when)
    made = [shadow(n, reason=reason, detail=reason, **country, **when) for reason in "CAB"]
    # Of the same reason, from the time when the rule was active.
    found = alert(n, reason="B", **country)
    await store.upsert([one, made[0]])
    await store.upsert([made[1], made[0]])

    assert await store.story(n) == OrderStory(one, [], None, None, [made[1], made[0]])
    assert await latest(store, 1, [alone := OrderStory(one, [], None)]) == [alone]
    assert (await store.page(OrderQuery(limit=1))).stories == [alone]
    assert await ids_by_alert(store, n) == []
    await assert_total(store, n, orders=1)

    await store.upsert([made[2], found])
    ordered = sorted(made, key=lambda document: document.reason)
    assert await store.story(n) == OrderStory(one, [found], None, None, ordered)
    await assert_total(store, n, orders=1, alerts=1)


NEW_FIELDS = [
    order(7, kafka_timestamp=1_700_000_000_001, stored_at="s", trace_id="4bf92f35" * 4),
    alert(7, created_at="c", kafka_timestamp=1_700_000_000_002, rule_version=3, detail="d"),
    payment(
        7,
        attempts=3,
        country="DE",
        created_at="c",
        kafka_timestamp=1_700_000_000_003,
        attempt_times="a/b c/d",
    ),
    dead_letter(7, service="fraud,payment", kafka_timestamp=1_700_000_000_004),
    shadow(7, created_at="c", kafka_timestamp=1_700_000_000_005, rule_version=4, detail="e"),
    shadow(7, reason="ODD", detail="no number", failed=True),
]


async def test_every_field_comes_back(store):
    await store.upsert(NEW_FIELDS)

    one, alerted, paid, letter, *in_shadow = NEW_FIELDS
    story = OrderStory(one, [alerted], paid, letter, in_shadow)
    assert story == await store.story(7)


@pytest.mark.parametrize("make", [order, alert, payment, dead_letter, shadow])
async def test_second_upsert_wins_over_the_first(store, n, make):
    changed = make(n, kafka_offset=99)
    await store.upsert([order(n), make(n)])
    await store.upsert([changed])

    story = await store.story(n)
    kept = story.order, *story.alerts, story.payment, story.dead_letter, *story.shadow
    assert changed in kept


@pytest.mark.parametrize("services", [("fraud", "payment"), ("payment", "fraud")])
@pytest.mark.parametrize("at_once", [True, False])
async def test_one_services_dead_letter_does_not_hide_anothers(store, n, services, at_once):
    letters = [
        dead_letter(n, service=service, error_text=f"of {service}", kafka_offset=offset)
        for offset, service in enumerate(services)
    ]
    writes = [letters] if at_once else [[letter] for letter in letters]
    for batch in ([order(n)], *writes, *writes):  # Kafka may deliver them twice
        await store.upsert(batch)

    story = await store.story(n)
    last, first = reversed(services)
    expected = dead_letter(
        n, service=f"{last},{first}", error_text=f"of {last}", kafka_offset=1
    )
    assert expected == story.dead_letter


async def test_a_dead_letter_of_several_services_keeps_each_once(store, n):
    await store.upsert([dead_letter(n, service="fraud,payment"), order(n)])
    await store.upsert([dead_letter(n, service="payment"), dead_letter(n + 1)])

    assert (await store.story(n)).dead_letter.service == "payment,fraud"


async def test_last_of_equal_ids_in_one_batch_wins(store, n):
    batch = [order(n, kafka_offset=offset) for offset in range(250)]
    await store.upsert(batch)

    assert batch[-1] == (await store.story(n)).order


async def test_order_written_twice_is_one_of_the_latest_once(store, n):
    twice, other = order(n, created_at=at(n, 2)), order(n + 1, created_at=at(n, 1))
    await store.upsert([twice, other])
    await store.upsert([twice])

    expected = [OrderStory(twice, [], None), OrderStory(other, [], None)]
    assert expected == await latest(store, 2, expected)


async def test_latest_orders_come_newest_first_with_what_belongs_to_them(store, n):
    orders = [order(n + i, created_at=at(n, i)) for i in (2, 0, 3, 1)]
    await store.upsert([*orders, alert(n + 3), payment(n + 2), dead_letter(n + 3)])

    expected = [
        OrderStory(orders[2], [alert(n + 3)], None, dead_letter(n + 3)),
        OrderStory(orders[0], [], payment(n + 2)),
        OrderStory(orders[3], [], None),
    ]
    assert expected == await latest(store, 3, expected)


async def test_latest_orders_of_one_moment_come_by_higher_id_first(store, n):
    orders = [order(n + i, created_at=at(n)) for i in (1, 3, 0, 2)]
    await store.upsert(orders)

    expected = [OrderStory(orders[i], [], None) for i in (1, 3, 0, 2)]
    assert expected == await latest(store, 4, expected)


async def test_limit_among_orders_of_one_moment_keeps_the_higher_ids(store, n):
    orders = [order(n + i, created_at=at(n)) for i in (1, 3, 0, 2)]
    await store.upsert(orders)

    expected = [OrderStory(order(n + i, created_at=at(n)), [], None) for i in (3, 2)]
    assert expected == await latest(store, 2, expected)


async def test_latest_gives_no_more_than_the_limit(store, n):
    orders = [order(n + i, created_at=at(n, i)) for i in range(5)]
    await store.upsert(orders)

    newest = [OrderStory(orders[4], [], None)]
    assert newest == await latest(store, 1, newest)
    assert await store.latest(0) == []


# Pages


async def ids(store, expected, *asked, **more):
    """The order ids of all pages; waits for a server's index, as `latest` does."""
    deadline = time.monotonic() + 10
    while (found := await walk(store, *asked, **more)) != expected:
        if not isinstance(store, CouchbaseStore) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    return found


async def walk(store, limit=100, status=None, country=None, after=None, given_up=(), **narrow):
    found, given_up = [], frozenset(given_up)
    while True:
        asked = OrderQuery(limit, after, country, status, given_up, **narrow)
        page = await store.page(asked)
        assert len(page.stories) <= limit
        found += [story.order.order_id for story in page.stories]
        if page.after is None:
            return found
        after = page.after


@pytest.mark.parametrize("limit", [1, 3, 7, 24, 25, 100])
async def test_pages_hold_every_order_once_and_newest_first(store, n, limit):
    country = f"C{n}"
    orders = [order(n + i, created_at=at(n, i // 4), country=country) for i in range(25)]
    await store.upsert(orders)

    expected = [o.order_id for o in reversed(orders)]
    assert expected == await ids(store, expected, limit, country=country)


async def test_page_has_what_belongs_to_its_orders(store, n):
    documents = [
        order(n, country=f"C{n}"),
        alert(n, country=f"C{n}"),
        payment(n, country=f"C{n}"),
        dead_letter(n),
    ]
    await store.upsert(documents)
    await ids(store, [n], country=f"C{n}")

    page = await store.page(OrderQuery(country=f"C{n}"))
    one, found, paid, letter = documents
    assert [OrderStory(one, [found], paid, letter)] == page.stories


async def test_orders_that_arrive_meanwhile_change_no_older_page(store, n):
    def some(first, count):
        steps = range(first, first + count)
        return [order(n + i, created_at=at(n, i), country=f"C{n}") for i in steps]

    await store.upsert(some(10, 20))
    await ids(store, list(range(n + 29, n + 9, -1)), country=f"C{n}")
    first = await store.page(OrderQuery(5, country=f"C{n}"))
    await store.upsert([*some(30, 10), *some(27, 2)])

    rest = await walk(store, 5, country=f"C{n}", after=first.after)
    assert [s.order.order_id for s in first.stories] == list(range(n + 29, n + 24, -1))
    assert rest == list(range(n + 24, n + 9, -1))


def one_of_each(n):
    """Orders n+1, n+2, … of every status from two countries, and what must not be listed."""
    made = []
    for i, country in enumerate((f"A{n}", f"B{n}")):
        steps = range(n + 10 * i, n + 10 * i + 10)
        fields = {step: {"created_at": at(n, step - n), "country": country} for step in steps}
        ids = list(steps)
        made += [order(step, **fields[step]) for step in ids[1:9]]
        made += [payment(step, **fields[step]) for step in (ids[2], ids[3], ids[9])]
        made += [payment(step, status="DECLINED", **fields[step]) for step in (ids[4], ids[0])]
        made += [alert(step, **fields[step]) for step in (ids[3], ids[4], ids[5], ids[9])]
        made += [dead_letter(step) for step in (ids[2], ids[6], ids[9])]
        made += [dead_letter(ids[7], service="fraud,payment")]
        made += [dead_letter(ids[8], service="fraud")]
    return made


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(
    ("status", "steps"),
    [
        (None, [8, 7, 6, 5, 4, 3, 2, 1]),
        ("stored", [8, 5, 1]),
        ("paid", [3, 2]),
        ("declined", [4]),
        ("alert", [5, 4, 3]),
        ("dead_letter", [7, 6, 2]),
    ],
)
async def test_orders_are_listed_by_country_and_status(store, n, status, steps, limit):
    await store.upsert(one_of_each(n))

    for first, country in ((n, f"A{n}"), (n + 10, f"B{n}")):
        expected = [first + step for step in steps]
        # 0 and 9 are not stored; 2 was paid by a replay that nobody has noted.
        given_up = [n + step + ten for step in (0, 2, 6, 7, 9) for ten in (0, 10)]
        found = await ids(store, expected, limit, status, country, given_up=given_up)
        assert expected == found


@pytest.mark.parametrize("limit", [1, 100])
@pytest.mark.parametrize(
    ("status", "steps"),
    [
        (None, [6, 5, 4, 3]),
        ("stored", [5]),
        ("paid", [3]),
        ("declined", [4]),
        ("alert", [5, 4, 3]),
        ("dead_letter", [6]),
    ],
)
async def test_orders_are_listed_by_the_time_of_their_creation(store, n, status, steps, limit):
    await store.upsert(one_of_each(n))
    given_up = [n + step for step in (2, 6, 7)]
    wanted = {"country": f"A{n}", "given_up": given_up}

    expected = [n + step for step in steps]
    times = {"since": at(n, 3), "until": at(n, 7)}
    assert expected == await ids(store, expected, limit, status, **wanted, **times)
    assert await walk(store, limit, status, **wanted, since=at(n, 20)) == []
    assert await walk(store, limit, status, **wanted, until=at(n, 0)) == []


async def test_a_page_ends_where_the_wanted_time_begins(store, n):
    country = f"C{n}"
    await store.upsert([order(n + i, created_at=at(n, i), country=country) for i in range(9)])
    await ids(store, [n + 8, n + 7, n + 6], country=country, since=at(n, 6))

    page = await store.page(OrderQuery(3, country=country, since=at(n, 6)))

    assert len(page.stories) == 3
    assert page.after is None, "no page without an order is to follow"


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_orders_are_listed_by_customer_and_by_trace(store, n, limit):
    """With a country and a status too."""
    mine, trace = n % 2**31, f"{n:032x}"
    whose = [mine, mine, 5, mine, mine, mine]
    traces = [trace, "", trace, "", trace, trace]
    countries = ["A", "A", "A", "A", "A", "B"]
    fields = zip(whose, traces, countries, strict=True)
    orders = [
        order(n + i, created_at=at(n, i // 2), customer_id=w, trace_id=t, country=c)
        for i, (w, t, c) in enumerate(fields)
    ]
    by = {i: {"country": countries[i], "created_at": orders[i].created_at} for i in range(6)}
    await store.upsert([*orders, payment(n, **by[0]), payment(n + 5, **by[5])])
    await store.upsert([alert(n + 1, **by[1]), alert(n + 4, **by[4]), dead_letter(n + 3)])

    for expected, asked in (
        ([5, 4, 3, 1, 0], {"customer_id": mine}),
        ([5, 4, 2, 0], {"trace_id": trace}),
        ([5, 4, 0], {"customer_id": mine, "trace_id": trace}),
        ([4, 3, 1, 0], {"customer_id": mine, "country": "A"}),
        ([5], {"trace_id": trace, "country": "B"}),
        ([5, 0], {"customer_id": mine, "status": "paid"}),
        ([4, 1], {"customer_id": mine, "status": "alert"}),
        ([4, 1], {"customer_id": mine, "status": "stored", "given_up": [n + 3]}),
        ([3], {"customer_id": mine, "status": "dead_letter", "given_up": [n + 2, n + 3]}),
        ([], {"customer_id": mine, "status": "declined"}),
        ([3], {"customer_id": mine, "since": at(n, 1), "until": at(n, 2)}),
        ([], {"trace_id": "f" * 32}),
    ):
        wanted = [n + step for step in expected]
        assert wanted == await ids(store, wanted, limit, **asked)


async def test_every_status_can_be_listed(store, n):
    for status in (None, *STATUSES):
        page = await store.page(OrderQuery(status=status, country=f"nobody{n}"))
        assert page.stories == []


async def test_page_ends_at_the_cursor_of_an_id_that_no_column_holds(store, n):
    page = await store.page(OrderQuery(after=("", 2**63)))

    assert page.stories == []
    assert page.after is None


# Totals


def total(n, **counts):
    fields = {"orders": 0, "alerts": 0, "paid": 0, "declined": 0, "revenue": 0.0} | counts
    return CountryStats(f"C{n}", **fields)


async def assert_total(store, n, **counts):
    """What is counted for the country that only this test has."""
    deadline = time.monotonic() + 15
    expected = [total(n, **counts)] if counts else []
    while True:
        stats = await store.stats(0)
        found = [c for c in stats.countries if c.country == f"C{n}"]
        if found == expected or time.monotonic() > deadline:
            break
        if not isinstance(store, CouchbaseStore):
            break
        await asyncio.sleep(0.2)
    assert expected == found


async def test_documents_are_counted_by_country(store, n):
    country = {"country": f"C{n}"}
    await store.upsert(
        [
            *(order(n + i, **country) for i in range(250)),
            *(alert(n + i, **country) for i in range(3)),
            *(payment(n + i, amount=10.01, **country) for i in range(100)),
            payment(n + 200, status="DECLINED", **country),
            dead_letter(n),
        ]
    )

    await assert_total(store, n, orders=250, alerts=3, paid=100, declined=1, revenue=1001.0)


async def test_countries_come_by_their_orders(store, n):
    counts = {f"C{n}": 2, f"A{n}": 1, f"B{n}": 3, f"D{n}": 1}
    countries = [name for name, count in counts.items() for _ in range(count)]
    await store.upsert([order(n + i, country=name) for i, name in enumerate(countries)])
    await assert_total(store, n, orders=2)

    found = [c.country for c in (await store.stats(0)).countries if c.country in counts]
    assert found == [f"B{n}", f"C{n}", f"A{n}", f"D{n}"]


async def test_repeated_documents_are_counted_once(store, n):
    country = {"country": f"C{n}"}
    batch = [make(n + i, **country) for i in range(150) for make in (order, alert, payment)]
    await store.upsert(batch)
    await store.upsert(batch)
    await store.upsert([*batch[30:60], *batch[30:60], order(n + 150, **country)])

    revenue = 150 * 450.25
    await assert_total(store, n, orders=151, alerts=150, paid=150, revenue=revenue)


async def test_what_is_equal_within_one_batch_is_counted_once(store, n):
    country = {"country": f"C{n}"}
    documents = [order(n, **country), payment(n, amount=1.0, **country)]
    await store.upsert([*documents, *documents, payment(n, amount=2.0, **country)])

    await assert_total(store, n, orders=1, paid=1, revenue=2.0)


async def test_changed_documents_are_counted_as_they_are_now(store, n):
    here, there = {"country": f"C{n}"}, {"country": f"D{n}"}
    await store.upsert([order(n, **here), order(n + 1, **here), alert(n, **here)])
    await store.upsert([payment(n, **here), payment(n + 1, **here)])
    await store.upsert([order(n, **there), payment(n, status="DECLINED", **here)])
    await store.upsert([payment(n + 1, amount=20.5, **here)])

    await assert_total(store, n, orders=1, alerts=1, paid=1, declined=1, revenue=20.5)


async def test_country_that_lost_all_is_left_out(store, n):
    await store.upsert([order(n, country=f"C{n}")])
    await assert_total(store, n, orders=1)
    await store.upsert([order(n, country=f"D{n}")])

    await assert_total(store, n)


async def activity(store, since, expected):
    deadline = time.monotonic() + 15
    while (found := (await store.stats(since)).activity) != expected:
        if not isinstance(store, CouchbaseStore) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    return found


async def test_activity_has_spans_of_ten_seconds_from_a_moment_on(store, n):
    now = n // 10_000 * 10 + 10  # as a time in s it is far in the future
    await store.upsert([order(n, kafka_timestamp=(now - 10) * 1000 + 9_999)])
    await store.upsert([order(n + i, kafka_timestamp=now * 1000 + i) for i in range(1, 4)])
    await store.upsert([alert(n, kafka_timestamp=now * 1000 + 9_999)])
    await store.upsert([alert(n + 1, kafka_timestamp=now * 1000 + 30_000)])

    expected = [Activity(now, 3, 1), Activity(now + 30, 0, 1)]
    for since in (now, now + 9):
        assert expected == await activity(store, since, expected)
    before = [Activity(now - 10, 1, 0), *expected]
    assert before == await activity(store, now - 10, before)


async def test_repeated_orders_are_one_activity(store, n):
    now = n // 10_000 * 10 + 10
    await store.upsert([order(n, kafka_timestamp=now * 1000)] * 3)
    await store.upsert([order(n, kafka_timestamp=now * 1000)])
    await store.upsert([order(n, kafka_timestamp=now * 1000 + 20_000)])

    expected = [Activity(now + 20, 1, 0)]
    assert expected == await activity(store, now, expected)


# Everything, by id


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (OrderDocument, order),
        (AlertDocument, alert),
        (PaymentDocument, payment),
        (DeadLetterDocument, dead_letter),
        (ShadowDocument, shadow),
    ],
)
async def test_scan_gives_every_document_of_a_type_once_by_id(store, n, kind, make):
    documents = [make(n + i) for i in (5, 3, 11, 2, 0, 7)]
    makers = order, alert, payment, dead_letter, shadow
    others = [m(n + 1) for m in makers if m is not make]
    await store.upsert([*documents, *others])
    expected = sorted(documents, key=lambda d: d.order_id)

    deadline = time.monotonic() + 10
    while (found := await scan_all(store, kind, n - 1)) != expected:
        if not isinstance(store, CouchbaseStore) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    assert expected == found


@pytest.mark.parametrize(("kind", "make"), [(AlertDocument, alert), (ShadowDocument, shadow)])
async def test_scan_leaves_nothing_out_that_was_found_of_an_order(store, n, kind, make):
    made = [make(n + i, reason=reason) for i in range(3) for reason in ("A", "B", "C", "D")]
    await store.upsert(made)

    deadline = time.monotonic() + 10
    # Pages of 4 and of 3: some begin in the middle of an order's.
    for limit in (4, 3, 1):
        found = []
        while len(found) < len(made) and time.monotonic() < deadline:
            found, last = [], n - 1
            while part := await store.scan(kind, last, limit):
                found, last = [*found, *part], part[-1].order_id
            if not isinstance(store, CouchbaseStore):
                break
        assert sorted(found, key=lambda a: (a.order_id, a.reason)) == made


async def scan_all(store, kind, after):
    found = []
    while part := await store.scan(kind, after, 4):
        assert len(part) <= 4
        found += part
        after = part[-1].order_id
    return found


async def test_scan_from_the_start_finds_the_first(store):
    await store.upsert([order(0)])
    deadline = time.monotonic() + 10
    while not (found := await store.scan(OrderDocument, None, 1)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)

    assert found == [order(0)]
    assert await store.scan(OrderDocument, 2**63, 10) == []


TEXTS = ["Österreich", "日本", "🇩🇪", 'quo"te\\', "O'Brien", "", "\0"]


@pytest.mark.parametrize("country", TEXTS)
async def test_any_text_comes_back_as_it_went_in(store, n, country):
    await store.upsert([order(n, country=country)])

    assert country == (await store.story(n)).order.country


async def test_big_numbers_keep_every_digit(store, n):
    big = order(2**53, kafka_offset=2**53 - 1, customer_id=2**53, amount=123456789012.34)
    await store.upsert([big])

    assert big == (await store.story(2**53)).order


async def test_batch_of_2000_is_stored_whole(store, n):
    orders = [order(n + i, kafka_offset=i, created_at=at(n, i // 100)) for i in range(2_000)]
    await store.upsert(orders)

    stories = await asyncio.gather(*(store.story(o.order_id) for o in orders[::37]))
    assert orders[::37] == [story.order for story in stories]
    newest = [OrderStory(o, [], None) for o in reversed(orders[-100:])]
    assert newest == await latest(store, 100, newest)


async def test_20_upserts_at_once_are_all_stored(store, n):
    batches = [[order(n + 10 * i + j) for j in range(10)] for i in range(20)]
    await asyncio.gather(*map(store.upsert, batches))

    stories = await asyncio.gather(*(store.story(n + i) for i in range(200)))
    assert [o for batch in batches for o in batch] == [story.order for story in stories]


async def test_open_store_answers_a_ping(store):
    assert await asyncio.wait_for(store.ping(), 60) is None


async def test_store_may_be_closed_twice(store):
    await store.close()
    await store.close()


async def test_closed_store_refuses_every_call(store, n):
    await store.close()

    calls = (
        store.ping,
        lambda: store.story(n),
        lambda: store.latest(1),
        lambda: store.page(OrderQuery()),
        lambda: store.stats(0),
        lambda: store.scan(OrderDocument, None, 1),
        lambda: store.upsert([order(n)]),
        lambda: store.upsert([]),
    )
    for call in calls:
        with pytest.raises(StoreError):
            await call()


async def test_closed_store_opens_again_with_its_documents(store, n):
    await store.upsert([order(n)])
    await store.close()
    await store.open()

    assert order(n) == (await store.story(n)).order


async def test_of_many_orders_those_that_are_stored_are_told(store, n):
    assert await store.stored([]) == set()
    assert await store.stored([n, 2**63, -(2**70)]) == set()
    await store.upsert([order(n + m) for m in range(0, 1200, 2)])
    await store.upsert([alert(n + 1)])

    found = await store.stored(range(n, n + 1200))

    assert found == set(range(n, n + 1200, 2))


def reservation(key, n=1, **changes):
    fields = {"expires": int(time.time()) + 60, "holder": "one"} | changes
    return Reservation(key, n, 1234, 350.25, "DE", "2026-11-29T10:00:00.000000Z", **fields)


@pytest.fixture
def key():
    return uuid.uuid4().hex


async def test_of_all_who_reserve_a_key_at_once_one_gets_it(store, key):
    wanted = [reservation(key, n, holder=f"worker {n}") for n in range(30)]
    found = await asyncio.gather(*map(store.reserve, wanted))

    assert len(set(found)) == 1
    assert found[0] in wanted
    assert await store.reserve(wanted[29]) == found[0]
    other = reservation(uuid.uuid4().hex)
    assert await store.reserve(other) == other


async def test_a_reservation_is_replaced_only_as_it_was(store, key):
    first = await store.reserve(reservation(key))
    taken = replace(first, holder="two", beat=1)
    done = replace(taken, is_confirmed=True)

    assert not await store.replace_reservation(taken, done)
    assert await store.replace_reservation(first, taken)
    assert not await store.replace_reservation(first, replace(first, is_confirmed=True))
    assert await store.replace_reservation(taken, done)
    assert await store.reserve(reservation(key, 7)) == done
    missing = reservation(uuid.uuid4().hex, 3)
    assert not await store.replace_reservation(missing, replace(missing, beat=1))


async def test_of_all_who_take_a_reservation_over_at_once_one_does(store, key):
    first = await store.reserve(reservation(key))
    takers = [replace(first, holder=f"worker {n}") for n in range(20)]

    done = await asyncio.gather(*(store.replace_reservation(first, t) for t in takers))

    assert sum(done) == 1
    assert await store.reserve(first) == takers[done.index(True)]


async def test_a_key_is_free_again_when_its_reservation_has_expired(store, key):
    soon, other = reservation(key, expires=int(time.time()) + 2), reservation(key, 2)
    assert await store.reserve(soon) == soon
    found = await store.reserve(other)
    assert found == soon or time.time() >= soon.expires  # after a pause
    await asyncio.sleep(3)

    assert await store.reserve(other) == other


async def test_two_workers_share_their_reservations(double, tmp_path):
    for make in (
        lambda: CouchbaseStore(double.settings),
        lambda: SQLiteStore(tmp_path / "orders.sqlite"),
    ):
        workers = [make(), make()]
        for worker in workers:
            await worker.open()
        for n in range(20):
            wanted = [reservation(f"{n:032}", holder=f"worker {m}") for m in (0, 1)]
            found = [w.reserve(r) for w, r in zip(workers, wanted, strict=True)]
            assert len(set(await asyncio.gather(*found))) == 1
        for worker in workers:
            await worker.close()


async def test_reservations_are_no_orders(store, key, n):
    before = await store.stats(0) if not isinstance(store, CouchbaseStore) else None
    await store.reserve(reservation(key, n))

    assert await store.story(n) is None
    assert await store.scan(OrderDocument, n - 1, 10) == []
    assert n not in [story.order.order_id for story in await store.latest(10)]
    assert n not in [s.order.order_id for s in (await store.page(OrderQuery(limit=10))).stories]
    if before is not None:
        assert await store.stats(0) == before


async def test_documents_outlive_the_store_object(double, tmp_path):
    for make in (
        lambda: CouchbaseStore(double.settings),
        lambda: SQLiteStore(tmp_path / "orders.sqlite"),
    ):
        first, second = make(), make()
        await first.open()
        await first.upsert([order(5)])
        await first.close()
        await second.open()
        assert order(5) == (await second.story(5)).order
        await second.close()


@pytest.mark.parametrize(
    "make",
    [
        MemoryStore,
        lambda: SQLiteStore("never-made"),
        lambda: CouchbaseStore(Couchbase("127.0.0.1:1", "user", "password", "bucket")),
    ],
)
async def test_store_that_was_never_opened_closes(make):
    store = make()
    await store.close()

    with pytest.raises(StoreError):
        await store.ping()
