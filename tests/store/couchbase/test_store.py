"""What only the Couchbase store does: access, servers that fail or hang, its index, its end."""

import asyncio
import re
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from orderapp.couchbase_settings import Couchbase
from orderapp.store import (
    STATUSES,
    Activity,
    AlertDocument,
    OrderDocument,
    OrderQuery,
    OrderStory,
    StoreRejected,
    StoreUnavailable,
)
from orderapp.store.couchbase import (
    CouchbaseStore,
    alerts,
    client,
    connect,
    count,
    pages,
    statements,
)
from orderapp.store.couchbase import store as module
from orderapp.web.api.parameters import cursor, read_after
from tests.store.examples import alert, dead_letter, order, payment
from tests.ticks import ticking

ROOT = Path(__file__).parents[3]


async def error_of(awaitable):
    """The store error that this raises; it is one line and without the password."""
    with pytest.raises((StoreRejected, StoreUnavailable)) as caught:
        await awaitable
    text = str(caught.value)
    assert "\n" not in text
    assert "p@ss word" not in text
    return caught.value


async def opening_error(settings):
    store = CouchbaseStore(settings)
    error = await error_of(store.open())
    await store.close()
    return error


# Access


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"password": "wrong"}, "Authentication"),
        ({"username": "nobody"}, "Authentication"),
        ({"bucket": "nothing"}, "bucket nothing: BucketNotFound"),
        ({"bucket": "or`ders"}, "not a name that a bucket can have"),
        ({"bucket": ".hidden"}, "not a name that a bucket can have"),
        ({"bucket": ""}, "not a name that a bucket can have"),
        ({"bucket": "a" * 101}, "not a name that a bucket can have"),
    ],
    ids=str,
)
async def test_wrong_access_is_rejected(double, changed, reason):
    error = await opening_error(replace(double.settings, **changed))

    assert isinstance(error, StoreRejected)
    assert reason in str(error)


def test_repr_shows_no_password():
    assert "p@ss word" not in repr(CouchbaseStore(Couchbase("h", "user", "p@ss word", "b")))


async def test_password_is_in_no_log(double, caplog):
    caplog.set_level("DEBUG")
    await opening_error(replace(double.settings, username="nobody"))
    double.inject(query_error=[5000, "internal", 500])
    store = CouchbaseStore(double.settings)
    await store.open()
    await store.close()

    assert "No index for the latest orders yet" in caplog.text
    assert double.password not in caplog.text


# A server that is away, fails or hangs


@pytest.mark.parametrize("away", ["stop", "pause"])
async def test_open_gives_up_in_time_and_works_when_the_server_is_back(double, away):
    store = CouchbaseStore(double.settings)
    getattr(double, away)()

    error, ticks = await ticking(error_of(store.open()))
    assert isinstance(error, StoreUnavailable)
    assert ticks < 850
    double.heal()
    await store.open()
    await store.upsert([order()])
    await store.close()
    assert double.count() == 1


async def test_open_goes_on_without_the_query_service(double):
    double.inject(hang_queries=True)
    store = CouchbaseStore(double.settings)
    await store.open()
    await store.upsert([order()])
    assert order() == (await store.story(1)).order
    assert double.indexes() == []

    double.heal()
    assert [OrderStory(order(), [], None)] == await store.latest(10)
    assert len(double.indexes()) == 1
    await store.close()


async def test_passing_failures_of_a_write_are_not_seen(double, couchbase):
    double.inject(fail_sets=[["TEMPFAIL", 3]])
    await couchbase.upsert([order()])

    assert double.count() == 1


@pytest.mark.parametrize(
    ("status", "error", "name"),
    [
        ("TEMPFAIL", StoreUnavailable, "TemporaryFail"),
        ("BUSY", StoreUnavailable, "TemporaryFail"),
        ("LOCKED", StoreUnavailable, "DocumentLocked"),
        ("INTERNAL", StoreUnavailable, "InternalServerFailure"),
        ("AUTH_ERROR", StoreRejected, "Authentication"),
        ("NO_ACCESS", StoreRejected, "Authentication"),
        ("NO_BUCKET", StoreRejected, "BucketNotFound"),
        ("INVALID", StoreRejected, "InvalidArgument"),
        ("TOO_BIG", StoreRejected, "ValueTooLarge"),
    ],
)
async def test_one_failed_document_of_a_batch_is_an_error(
    double, monkeypatch, status, error, name
):
    monkeypatch.setattr(connect, "KV_LIMIT", 0.5)
    store = CouchbaseStore(double.settings)
    await store.open()
    double.inject(fail_keys={"2": status})

    caught = await error_of(store.upsert([order(1), order(2), order(3)]))
    assert type(caught) is error
    assert f"{name} (document 2; " in str(caught)
    assert double.documents().keys() == {"1", "3"}

    double.heal()
    await store.upsert([order(1), order(2), order(3)])
    assert double.count() == 3
    await store.close()


async def test_fatal_failure_decides_among_passing_ones(double, couchbase):
    double.inject(fail_keys={"1": "INTERNAL", "2": "TOO_BIG", "3": "INTERNAL"})

    caught = await error_of(couchbase.upsert([order(1), order(2), order(3)]))
    assert isinstance(caught, StoreRejected)


@pytest.mark.parametrize(
    "key", ["1", f"alert::1::{alert().reason}", "payment::1", "dead-letter::1", "alert::1"]
)
async def test_story_with_a_failed_document_is_an_error(double, couchbase, key):
    await couchbase.upsert([order(), alert(), payment()])
    double.inject(fail_keys={key: "INTERNAL"})

    assert isinstance(await error_of(couchbase.story(1)), StoreUnavailable)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([5000, "internal", 500], StoreUnavailable),
        ([1080, "timeout", 200], StoreUnavailable),
        ([4000, "No index available on keyspace", 404], StoreUnavailable),
        ([13014, "no credentials", 401], StoreRejected),
        ([3000, "syntax error", 400], StoreRejected),
        ([12003, "Keyspace not found", 404], StoreRejected),
    ],
    ids=str,
)
async def test_failed_query_is_an_error(double, couchbase, answer, error):
    double.inject(query_error=answer)

    caught = await error_of(couchbase.latest(10))
    assert type(caught) is error
    assert answer[1] in str(caught)


@pytest.mark.parametrize(
    "read",
    [
        lambda s: s.ping(),
        lambda s: s.story(1),
        lambda s: s.latest(10),
        lambda s: s.page(OrderQuery()),
        lambda s: s.stats(0),
    ],
)
@pytest.mark.usefixtures("limits")
async def test_reads_of_a_hanging_server_end_within_two_seconds(double, couchbase, read):
    double.pause()
    upserts = [asyncio.ensure_future(couchbase.upsert([order(i)])) for i in range(10)]
    await asyncio.sleep(0)
    error, ticks = await ticking(error_of(read(couchbase)))

    assert isinstance(error, StoreUnavailable)
    assert 50 < ticks < 200  # the loop was free
    double.heal()
    for upsert in upserts:
        upsert.cancel()


async def test_write_that_hangs_ends_at_its_limit(double, monkeypatch):
    monkeypatch.setattr(connect, "KV_LIMIT", 0.5)
    store = CouchbaseStore(double.settings)
    await store.open()
    double.pause()
    start = time.monotonic()

    error, ticks = await ticking(error_of(store.upsert([order()])))
    assert isinstance(error, StoreUnavailable)
    assert time.monotonic() - start > 0.4
    assert ticks < 300
    double.heal()
    await store.close()


async def test_repeated_upsert_goes_through_when_the_server_comes_back(double, couchbase):
    double.stop()
    upsert = asyncio.ensure_future(repeat(couchbase, [order()]))
    await asyncio.sleep(0.5)
    assert not upsert.done()

    double.start()
    await asyncio.wait_for(upsert, 60)
    assert double.count() == 1


async def repeat(store, documents):
    """Upsert as a service does it."""
    while True:
        try:
            return await store.upsert(documents)
        except StoreUnavailable:
            await asyncio.sleep(0.05)


# Alerts


#: As earlier versions wrote them.
OLD = {
    name: value
    for name, value in msgspec.to_builtins(alert(7)).items()
    if name not in ("rule_version", "detail")
}


@pytest.fixture
async def upgraded(double):
    """A store in a collection where an earlier version left order 7 with its alert."""
    double.put("7", msgspec.to_builtins(order(7)))
    double.put("alert::7", OLD)
    store = CouchbaseStore(double.settings)
    await store.open()
    yield store
    await store.close()


async def test_an_alert_of_an_earlier_version_is_read_and_not_doubled(double, upgraded):
    assert (await upgraded.story(7)).alerts == [alert(7)]
    assert await upgraded.scan(AlertDocument, None, 10) == [alert(7)]

    now = int(time.time() * 1000)
    again = alert(7, rule_version=1, detail="again", kafka_timestamp=now)
    other = alert(7, reason="OTHER")
    await upgraded.upsert([again, other])

    assert (await upgraded.story(7)).alerts == [again, other]
    assert await upgraded.scan(AlertDocument, None, 10) == [again, other]
    assert double.documents().keys() == {"7", "alert::7", "alert::7::OTHER"}


async def test_what_another_program_wrote_under_an_old_id_stays(double, upgraded):
    double.put("alert::7", {"type": "alarm"})

    await upgraded.upsert([order(8), alert(8), alert(7)])

    assert double.documents()["alert::7"] == {"type": "alarm"}
    assert (await upgraded.story(8)).alerts == [alert(8)]


async def requests_of(double, store, documents):
    """How many requests to the data service it takes to write these."""
    before = double.requests()["kv"]
    await store.upsert(documents)
    return double.requests()["kv"] - before


async def test_no_alert_of_an_earlier_version_is_looked_for_where_there_is_none(
    double, couchbase
):
    await couchbase.upsert([order(7), alert(7)])
    other = CouchbaseStore(double.settings)
    await other.open()

    made = [alert(i, kafka_timestamp=i) for i in range(100)]

    # `alert-reasons` is read in each batch.
    assert await requests_of(double, couchbase, made) == 1 + 100
    assert await requests_of(double, other, made) == 1 + 100
    await other.close()


async def test_alerts_of_an_earlier_version_are_not_looked_for_by_young_records(
    double, upgraded
):
    await upgraded.upsert([order(8), alert(8)])
    now = int(time.time() * 1000)

    old = [alert(i, kafka_timestamp=now) for i in range(100, 200)]
    assert await requests_of(double, upgraded, old) == 1 + 2 * 100
    young = [alert(i, kafka_timestamp=now + 3_600_000) for i in range(200, 300)]
    assert await requests_of(double, upgraded, young) == 1 + 100


async def test_alerts_of_an_earlier_version_are_not_doubled_where_no_query_answers(double):
    double.put("alert::7", OLD)
    double.inject(query_error=[5000, "internal", 500])
    store = CouchbaseStore(double.settings)
    await store.open()

    await store.upsert([order(7), alert(7, kafka_timestamp=int(time.time() * 1000))])

    assert double.documents().keys() == {"7", "alert::7"}
    await store.close()


async def test_reasons_that_another_worker_brings_are_found(double, couchbase):
    await couchbase.upsert([order(7), alert(7, reason="A")])
    assert len((await couchbase.story(7)).alerts) == 1
    other = CouchbaseStore(double.settings)
    await other.open()

    await asyncio.gather(
        *(store.upsert([alert(7, reason=f"{name}{i}")])
          for i in range(5) for store, name in ((couchbase, "C"), (other, "B")))
    )  # fmt: skip

    names = ["A", *(f"{name}{i}" for name in "BC" for i in range(5))]
    for store in (couchbase, other):
        assert [found.reason for found in (await store.story(7)).alerts] == names
    await other.close()


async def test_reasons_have_a_limit_and_alerts_are_written_beyond_it(double, couchbase, caplog):
    made = [alert(7, reason=f"R{i:03}") for i in range(alerts.MOST + 5)]

    await couchbase.upsert([order(7), *made])

    assert len((await couchbase.story(7)).alerts) == alerts.MOST
    assert len(double.documents()) == len(made) + 1
    (said,) = (r.message for r in caplog.records if "more than 50 reasons" in r.message)
    assert "R050, R051, R052, R053, R054" in said


@pytest.mark.parametrize("value", [{"type": "alert-reasons", "reasons": 7}, {"type": "other"}])
async def test_a_document_in_the_place_of_the_reasons_is_replaced(double, couchbase, value):
    double.put("alert-reasons", value)

    await couchbase.upsert([order(7), alert(7)])

    assert (await couchbase.story(7)).alerts == [alert(7)]


async def all_with_alerts(couchbase, limit):
    """The ids of all pages of orders with alerts."""
    found, after = [], None
    while True:
        page = await couchbase.page(OrderQuery(limit=limit, status="alert", after=after))
        found += [story.order.order_id for story in page.stories]
        after = page.after
        if after is None:
            return found


async def test_an_order_is_listed_by_its_latest_alert_alone(couchbase):
    # A sender repeats order 1 with another time: its alerts have one each.
    made = [alert(1, created_at="t9", reason="LATER")]
    for i in range(3):
        made += [order(i, created_at=f"t{i}"), alert(i, created_at=f"t{i}")]
    await couchbase.upsert(made)

    assert await all_with_alerts(couchbase, limit=1) == [1, 2, 0]


async def test_alerts_of_one_order_take_no_others_places(couchbase, monkeypatch):
    monkeypatch.setattr(pages, "WALK", 4)
    made = [
        one
        for i in range(5)
        for one in (
            order(i, created_at="t"),
            *(alert(i, created_at="t", reason=r) for r in "ABC"),
        )
    ]
    await couchbase.upsert(made)

    assert await all_with_alerts(couchbase, limit=50) == [4, 3, 2, 1, 0]


# Documents


async def test_documents_are_stored_under_their_ids_as_json(double, couchbase):
    await couchbase.upsert([order(7), alert(7), payment(7), dead_letter(7)])

    documents = double.documents()
    alert_id = "alert::7::HIGH_AMOUNT_RISKY_COUNTRY"
    assert documents.keys() == {"7", alert_id, "payment::7", "dead-letter::7"}
    assert documents["7"] == {
        "type": "order",
        "order_id": 7,
        "kafka_partition": 3,
        "kafka_offset": 41,
        "customer_id": 1234,
        "amount": 450.25,
        "country": "IN",
        "created_at": "2025-06-01T12:00:00.000000Z",
        "kafka_timestamp": 0,
        "stored_at": "",
        "trace_id": "",
    }
    assert documents[alert_id]["type"] == "alert"
    assert documents["payment::7"]["type"] == "payment"
    assert documents["dead-letter::7"]["type"] == "dead-letter"


async def test_order_of_another_program_is_left_out(double, couchbase, caplog):
    await couchbase.upsert([order(1), payment(2, payment_id="x"), order(3)])
    strange = {"type": "order", "order_id": 2, "created_at": "2099"}
    double.put("2", strange)

    assert [story.order.order_id for story in await couchbase.latest(10)] == [3, 1]
    assert "Left out an order" in caplog.text
    assert isinstance(await error_of(couchbase.story(2)), StoreRejected)


def put_lookalikes(double, others):
    """Documents of another program, as a copy of each of ours; of the orders `others` also some
    with other fields."""
    for key, value in double.documents().items():
        double.put(f"copy of {key}", value)
        double.put(f"{key}::{key}", value)
        if value["order_id"] in others:
            double.put(f"order::{key}", value)
            double.put(f"older {key}", value | {"created_at": "2020", "kafka_offset": 1})
            double.put(f"another {key}", value | {"order_id": 99, "created_at": "2099"})


async def test_documents_that_only_look_like_ours_are_neither_counted_nor_scanned(
    double, couchbase
):
    ours = [d for i in range(1, 7) for d in (order(i), payment(i, country="IN"))]
    ours += [made(i) for i in (2, 4) for made in (alert, dead_letter)]
    await couchbase.upsert(ours)
    several = alert(6)
    double.put(f"alert::6::{several.reason}", msgspec.to_builtins(several))
    put_lookalikes(double, (2, 5))
    double.put("1::1", {"type": "payment", "country": "IN", "status": "PAID", "order_id": 1})

    for kind in {type(document): 0 for document in ours}:
        expected = [d for d in [*ours, several] if type(d) is kind]
        assert await couchbase.scan(kind, None, 100) == expected
        assert await couchbase.scan(kind, 2, 2) == [d for d in expected if d.order_id > 2][:2]
    (total,) = (await couchbase.stats(0)).countries
    assert (total.orders, total.paid, total.alerts, total.declined) == (6, 6, 3, 0)


async def test_documents_that_only_look_like_ours_are_not_listed(double, couchbase):
    made = {
        "alert": lambda i: alert(i, created_at=order(i).created_at),
        "declined": lambda i: payment(i, status="DECLINED", created_at=order(i).created_at),
        "dead_letter": dead_letter,
    }
    given_up = frozenset({7, 8, 9})
    expected = {"alert": [3, 2, 1], "declined": [6, 5, 4], "dead_letter": [9, 8, 7]}
    for status, (third, second, first) in expected.items():
        for i in (first, second, third):
            await couchbase.upsert([order(i), made[status](i)])
    put_lookalikes(double, (2, 5, 8))

    everything = list(range(9, 0, -1))
    assert [story.order.order_id for story in await couchbase.latest(30)] == everything
    for country in (None, "IN"):
        assert ids(await couchbase.page(OrderQuery(country=country))) == everything
        for status, order_ids in expected.items():
            query = OrderQuery(status=status, country=country, given_up=given_up)
            assert ids(await couchbase.page(query)) == order_ids


async def test_dead_letter_replaces_what_another_program_put_in_its_place(double, couchbase):
    double.put("dead-letter::1", {"type": "dead-letter", "service": "theirs"})
    await couchbase.upsert([dead_letter(1, service="payment")])

    assert double.documents()["dead-letter::1"]["service"] == "payment"


async def test_dead_letter_whose_place_cannot_be_read_is_not_written(double, couchbase):
    await couchbase.upsert([dead_letter(1, service="fraud")])
    double.inject(fail_keys={"dead-letter::1": "INTERNAL"})
    error = await error_of(couchbase.upsert([dead_letter(1, service="payment")]))
    assert isinstance(error, StoreUnavailable)
    double.heal()
    await couchbase.upsert([dead_letter(1, service="payment")])

    assert double.documents()["dead-letter::1"]["service"] == "payment,fraud"


async def test_document_that_json_cannot_hold_is_rejected(couchbase):
    caught = await error_of(couchbase.upsert([order(1, country="\ud800")]))

    assert isinstance(caught, StoreRejected)


async def test_index_that_exists_already_is_used(double):
    for i in range(3):
        store = CouchbaseStore(double.settings)
        await store.open()
        await store.upsert([order(i)])
        assert len(await store.latest(10)) == i + 1
        await store.close()

    assert len(double.indexes()) == 1


async def test_index_that_was_dropped_is_made_again(double, couchbase):
    await couchbase.upsert([order()])
    double.drop_indexes()
    assert isinstance(await error_of(couchbase.latest(10)), StoreUnavailable)

    assert len(await couchbase.latest(10)) == 1


# Pages, totals and everything


def ids(page):
    return [story.order.order_id for story in page.stories]


async def test_indexes_are_created_when_they_are_first_used(double, couchbase):
    made = [double.indexes()]
    await couchbase.stats(0)
    made.append(double.indexes())
    for status in (None, *STATUSES):
        for country in (None, "DE"):
            await couchbase.page(OrderQuery(status=status, country=country))
    for narrow in ({"customer_id": 1234}, {"trace_id": "4bf9"}):
        await couchbase.page(OrderQuery(**narrow))
    await couchbase.scan(OrderDocument, None, 1)
    made.append(double.indexes())

    assert made[0] == ["orderapp_orders"]
    assert set(made[1]) - set(made[0]) == {"orderapp_sums"}
    assert made[2] == sorted(statements.INDEXES)


async def test_who_only_reads_makes_no_index_but_the_one_that_the_read_needs(double):
    store = CouchbaseStore(double.settings, read_only=True)
    await store.open()
    made = [double.indexes()]
    await store.scan(OrderDocument, None, 10)
    await store.close()

    assert [*made, double.indexes()] == [[], ["orderapp_ids"]]


async def test_walk_is_bounded_and_goes_on_with_the_next_page(monkeypatch, couchbase):
    monkeypatch.setattr(pages, "WALK", 10)
    await couchbase.upsert([*(order(i) for i in range(25)), payment(3)])
    query, found = OrderQuery(status="paid"), []
    for _ in range(3):
        page = await couchbase.page(query)
        found.append(ids(page))
        query = OrderQuery(status="paid", after=page.after)

    assert found == [[], [], [3]]
    assert page.after is None


@pytest.mark.parametrize("count", [4, 5, 6, 9])
async def test_given_orders_are_found_few_or_many(monkeypatch, couchbase, count):
    monkeypatch.setattr(pages, "WALK", 5)
    await couchbase.upsert([order(i) for i in range(12)])
    asked = {"limit": 2, "status": "dead_letter", "given_up": frozenset(range(count))}
    query, found = OrderQuery(**asked), []
    while query.after or not found:
        page = await couchbase.page(query)
        found += ids(page)
        query = OrderQuery(**asked, after=page.after)
        if page.after is None:
            break

    assert found == list(reversed(range(count)))


async def test_page_and_scan_leave_out_orders_of_another_program(double, couchbase):
    await couchbase.upsert([order(1), order(4)])
    for strange in (2, 3):
        value = {"type": "order", "order_id": strange, "created_at": "2099"}
        double.put(str(strange), value)

    assert ids(await couchbase.page(OrderQuery())) == [4, 1]
    assert await couchbase.scan(OrderDocument, 1, 2) == [order(4)]


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"order_id": None},
        {"order_id": "a-text"},
        {"order_id": 2.5},
        {"order_id": 2**60},
        {"order_id": -2},
        {"order_id": [2]},
        {"order_id": 2, "created_at": 2099},
        {"order_id": 2, "created_at": None},
        {"order_id": 2, "created_at": ["2099"]},
        {"order_id": 2, "created_at": "2" * 65},
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [None, "alert", "declined"])
async def test_pages_lead_past_keys_that_are_not_ours(
    double, couchbase, monkeypatch, strange, status
):
    monkeypatch.setattr(pages, "WALK", 2)
    for i in (1, 2, 3):
        at = {"created_at": f"2025-06-0{i}"}
        await couchbase.upsert([order(i, **at), alert(i, **at)])
        await couchbase.upsert([payment(i, status="DECLINED", **at)])
    fields = {"created_at": "2025-06-03", "status": "DECLINED", **strange}
    for kind in ("order", "alert", "payment"):
        double.put(f"{kind} of another program", {"type": kind, **fields})
    query, found = OrderQuery(limit=1, status=status), []
    for _ in range(5):
        page = await couchbase.page(query)
        found += ids(page)
        assert page.after is None or read_after({"after": cursor(page.after)}) == page.after
        query = OrderQuery(limit=1, status=status, after=page.after)
        if page.after is None:
            break

    assert found == [3, 2, 1]


async def test_queries_ask_for_the_fields_of_a_document_and_no_others(
    double, couchbase, monkeypatch
):
    await couchbase.upsert([order(1), alert(1), payment(1), dead_letter(1)])
    for key, document in double.documents().items():
        double.put(key, {"photo": "x" * 1_000_000} | document)
    rows = []
    ask = client.Client.ask
    monkeypatch.setattr(
        client.Client,
        "ask",
        lambda *args, **options: [rows.append(r) or r for r in ask(*args, **options)],
    )

    assert [order(1)] == [story.order for story in await couchbase.latest(10)]
    for document in (order(1), alert(1), payment(1), dead_letter(1)):
        assert [document] == await couchbase.scan(type(document), None, 10)
    assert not [row for row in rows if "photo" in row]
    assert len(rows) == 5


@pytest.mark.parametrize("order_id", ["a-text", None, 2.5, 2**60, {}], ids=str)
async def test_latest_and_scan_bear_ids_that_are_not_ours(double, couchbase, order_id):
    await couchbase.upsert([order(1), order(3)])
    strange = {"type": "order", "order_id": order_id, "created_at": "2099"}
    double.put("strange", strange)

    assert [story.order.order_id for story in await couchbase.latest(10)] == [3, 1]
    assert await couchbase.scan(OrderDocument, None, 10) == [order(1), order(3)]


async def test_totals_leave_out_what_is_not_ours(double, couchbase):
    await couchbase.upsert([order(1)])
    double.put("2", {"type": "order", "order_id": 2, "created_at": "2099"})
    double.put("payment::2", {"type": "payment", "country": "IN", "status": "?", "amount": 1})

    (total,) = (await couchbase.stats(0)).countries
    assert (total.country, total.orders, total.paid) == ("IN", 1, 0)


@pytest.mark.parametrize(
    "strange",
    [
        {"kafka_timestamp": "2099"},
        {"kafka_timestamp": [1]},
        {"kafka_timestamp": 1e300},
        {"status": "open"},
        {"status": ["open"]},
        {"status": {"is": "open"}},
        {"country": 49},
        {"country": ["IN"]},
        {"amount": "much", "country": None},
    ],
    ids=str,
)
async def test_totals_bear_fields_of_any_type(double, couchbase, strange):
    await couchbase.upsert([order(1, kafka_timestamp=20_000), payment(1, country="IN")])
    fields = {"order_id": 2, "country": "IN", "amount": 1.0} | strange
    for key in ("2", "alert::2", "payment::2"):
        kind = "order" if key == "2" else key.partition("::")[0]
        double.put(key, {"type": kind, **fields})

    stats = await couchbase.stats(0)
    assert Activity(20, 1, 0) == stats.activity[0]
    (total,) = stats.countries
    assert (total.country, total.paid, total.revenue) == ("IN", 1, 450.25)
    is_told_apart = strange.keys() & {"status", "country", "kafka_timestamp"}
    assert total.orders == (1 if is_told_apart else 2)
    msgspec.json.encode(stats)


async def test_callers_share_one_count(double, couchbase):
    before = double.requests()["query"]
    stats = await asyncio.gather(*(couchbase.stats(since) for since in (10, 10, 30, 10)))

    assert len({id(s.countries) for s in stats}) == 1
    # Whether it answers; its index: whether it is there, made with a replica, and without; of
    # each of three types where a slice ends, and what is in it.
    assert double.requests()["query"] - before == 1 + 3 + 3 * 2


@pytest.fixture
def counts_anew(monkeypatch):
    """Totals are counted whenever somebody asks."""
    monkeypatch.setattr(count, "STATS_AGE", 0.0)
    monkeypatch.setattr(count, "SHARE", 1.0)
    monkeypatch.setattr(count, "SHORT_PATIENCE", 1.9)


async def test_totals_follow(counts_anew, couchbase):
    await couchbase.upsert([order(1, kafka_timestamp=20_000)])
    first = await couchbase.stats(0)
    await couchbase.upsert([order(2, kafka_timestamp=40_000)])
    later = await couchbase.stats(0)

    assert [span.start for span in first.activity] == [20]
    assert [span.start for span in later.activity] == [20, 40]
    assert [span.start for span in (await couchbase.stats(31)).activity] == [40]
    assert first.counted < later.counted <= time.time()


async def test_totals_of_a_server_that_fails_are_asked_for_again(
    counts_anew, double, couchbase
):
    await couchbase.stats(0)
    double.inject(query_error=[5000, "internal", 500])
    assert isinstance(await error_of(couchbase.stats(0)), StoreUnavailable)
    double.heal()

    assert (await couchbase.stats(0)).countries == []


async def test_count_that_takes_long_holds_up_nothing(double, couchbase, monkeypatch):
    monkeypatch.setattr(count, "PATIENCE", 0.2)
    await couchbase.upsert([order(1)])
    double.inject(hang_counts=True)

    error = await error_of(couchbase.stats(0))
    assert "being counted" in str(error)
    assert ids(await couchbase.page(OrderQuery())) == [1]
    assert len(await couchbase.latest(10)) == 1


# The end


def run(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(
        command, cwd=ROOT, timeout=120, check=True, capture_output=True, text=True, **options
    )


def access(double):
    return [double.host, double.username, double.password, double.bucket]


ENDS = {
    "closed": "await store.open(); await store.upsert([order()]); await store.close()",
    "not closed": "await store.open(); await store.upsert([order()])",
    "closed while it writes": (
        "await store.open(); task = asyncio.ensure_future(store.upsert(many)); "
        "await asyncio.sleep(0.01); await store.close(); "
        "await asyncio.gather(task, return_exceptions=True)"
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_process_ends_in_peace(double, end):
    code = f"""
        import asyncio, sys
        from orderapp.couchbase_settings import Couchbase
        from orderapp.store.couchbase import CouchbaseStore
        from tests.store.examples import order
        many = [order(i) for i in range(20_000)]
        async def main(store):
            {end}
        asyncio.run(main(CouchbaseStore(Couchbase(*sys.argv[1:]))))
    """
    assert run(code, *access(double)).stderr == ""


@pytest.mark.parametrize("bucket", ["orders", "nothing"])
def test_process_ends_in_peace_after_a_failed_open(double, bucket):
    code = """
        import asyncio, sys
        from orderapp.store import StoreError
        from orderapp.couchbase_settings import Couchbase
        from orderapp.store.couchbase import CouchbaseStore
        async def main(store):
            for _ in range(2):
                try:
                    await store.open()
                except StoreError as error:
                    print(error)
        asyncio.run(main(CouchbaseStore(Couchbase(*sys.argv[1:]))))
    """
    if bucket == "orders":
        double.stop()
    ended = run(code, *access(double)[:3], bucket)
    assert ended.stderr == ""
    assert len(ended.stdout.splitlines()) == 2


def test_process_that_counts_ends_without_waiting_for_it(double):
    double.inject(hang_counts=True)
    code = """
        import asyncio, sys
        from orderapp.couchbase_settings import Couchbase
        from orderapp.store.couchbase import CouchbaseStore, totals
        totals.LOOK_LIMIT = 100.0
        async def main(store):
            await store.open()
            count = asyncio.ensure_future(store.stats(0))
            await asyncio.wait([count], timeout=0.5)
            await store.close()
            await asyncio.gather(count, return_exceptions=True)
        asyncio.run(main(CouchbaseStore(Couchbase(*sys.argv[1:]))))
    """
    start = time.monotonic()
    assert run(code, *access(double)).stderr == ""
    assert time.monotonic() - start < 60


async def test_close_does_not_wait_for_a_hanging_server(double, couchbase):
    double.pause()
    upsert = asyncio.ensure_future(couchbase.upsert([order()]))
    await asyncio.sleep(0.1)

    _, ticks = await ticking(couchbase.close())

    assert ticks < 300
    assert isinstance(await error_of(upsert), StoreUnavailable)


async def test_client_of_a_late_connection_is_closed(double, monkeypatch):
    closed = []
    close = client.Client.close
    monkeypatch.setattr(client.Client, "close", lambda self: (close(self), closed.append(1)))
    monkeypatch.setattr(module, "OPEN_LIMIT", 0.1)
    double.inject(delay=0.2)

    error = await opening_error(double.settings)
    assert re.search(r"no answer within 0\.1 s", str(error))
    for _ in range(100):
        if closed:
            break
        await asyncio.sleep(0.1)
    assert closed == [1]


def test_sdk_is_imported_only_when_a_store_is_opened():
    code = """
        import sys
        import orderapp.store.couchbase
        assert "couchbase" not in sys.modules
    """
    run(code)
