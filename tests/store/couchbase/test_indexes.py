"""Indexes that are missing, not ready yet, or not for this user to create."""

import random

import msgspec
import pytest

from orderapp.store import OrderDocument, OrderQuery, StoreRejected, StoreUnavailable
from orderapp.store.couchbase import CouchbaseStore, indexes, statements
from orderapp.store.couchbase.statements import BY_ID, INDEXES, TOP, keys
from tests.couchbase_double.planner import Index
from tests.couchbase_double.query import Queries
from tests.store.examples import order

BY_TIME = "orderapp_orders"
#: Another program's, which serves most of our statements.
THEIRS = "CREATE INDEX `theirs` ON `orders` (type, status)"


def create(index):
    return statements.create(index).format("`orders`")


@pytest.fixture
async def store(double):
    """30 orders, all indexes of ours, and one of another program; nothing looked at yet."""
    store = CouchbaseStore(double.settings, read_only=True)
    await store.open()
    await store.upsert([order(i) for i in range(30)])
    for index in INDEXES:
        double.put_index(create(index))
    double.put_index(THEIRS)
    yield store
    double.set(roles=["query_select", "query_manage_index"], index_nodes=1, new_state="online")
    await store.close()


@pytest.fixture
def looks_always(monkeypatch):
    monkeypatch.setattr(indexes, "TRUST", 0.0)


READS = {
    "latest": lambda s: s.latest(2),
    "page": lambda s: s.page(OrderQuery(limit=2)),
    "country": lambda s: s.page(OrderQuery(limit=2, country="IN")),
    "customer": lambda s: s.page(OrderQuery(limit=2, customer_id=1234)),
    "trace": lambda s: s.page(OrderQuery(limit=2, trace_id="4bf9")),
    "alerts": lambda s: s.page(OrderQuery(limit=2, status="alert")),
    "declined": lambda s: s.page(OrderQuery(limit=2, status="declined")),
    "scan": lambda s: s.scan(OrderDocument, None, 2),
    "totals": lambda s: s.stats(0),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("state", ["building", "pending", "deferred"])
async def test_index_that_is_not_online_is_waited_for_and_no_other_is_used(
    double, store, read, state
):
    double.set(new_state="building")
    for index in INDEXES:
        double.put_index(create(index), state)
    with pytest.raises(StoreUnavailable, match=f"is being built .{state}."):
        await read(store)

    assert double.scans()[-1:] != [{"index": "theirs", "entries": 30, "documents": 30}]
    assert set(double.index_states().values()) <= {"building", "pending", "deferred", "online"}


async def test_index_whose_building_was_put_off_is_built(double, store):
    double.put_index(create(BY_TIME), "deferred")
    with pytest.raises(StoreUnavailable, match="orders is being built"):
        await store.latest(1)

    assert double.index_states()[BY_TIME] == "online"
    assert len(await store.latest(1)) == 1


async def test_index_that_is_dropped_is_made_again_with_the_next_look(
    double, store, looks_always
):
    assert len(await store.latest(10)) == 10
    double.drop_indexes()
    double.put_index(THEIRS)

    assert len(await store.latest(10)) == 10
    assert double.scans()[-1]["index"] == BY_TIME


async def test_a_look_is_good_for_a_while_and_an_error_ends_it(double, store):
    await store.latest(10)
    before = double.requests()["query"]
    await store.latest(10)
    assert double.requests()["query"] - before == 1

    double.drop_indexes()
    with pytest.raises(StoreUnavailable):
        await store.latest(10)
    assert len(await store.latest(10)) == 10


async def test_index_that_takes_long_is_said_to_be_built_and_used_when_it_is(double, store):
    double.drop_indexes()
    double.set(new_state="building")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=f"index {BY_TIME} is being built"):
            await store.latest(10)
    double.finish_indexes()

    assert len(await store.latest(10)) == 10


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_indexes_that_exist_need_no_right_to_create_them(double, store, read):
    double.set(roles=["query_select"])

    await read(store)


async def test_missing_right_is_named_and_the_password_is_not_blamed(double, store):
    double.set(roles=["query_select"])
    double.drop_indexes()
    with pytest.raises(StoreRejected) as refused:
        await store.latest(10)
    assert "MissingRole" in str(refused.value)
    assert "Add role query_manage_index on default:orders" in str(refused.value)
    assert f"index {BY_TIME} is missing" in str(refused.value)
    assert "couchbase indexes" in str(refused.value)
    assert "PASSWORD" not in str(refused.value)

    double.set(roles=["query_select", "query_manage_index"])
    assert len(await store.latest(10)) == 10


@pytest.mark.parametrize(("nodes", "replicas"), [(1, 0), (2, 1), (3, 1)])
async def test_index_has_a_replica_where_there_is_a_node_for_it(double, nodes, replicas):
    double.set(index_nodes=nodes)
    store = CouchbaseStore(double.settings)
    await store.open()
    await store.close()

    assert double.index_replicas() == {BY_TIME: replicas}
    double.set(index_nodes=1)


def test_indexes_of_other_keyspaces_are_not_ours():
    rows = [
        {"name": "a", "state": "online", "keyspace_id": "other"},
        {"name": "b", "state": "online", "keyspace_id": "c", "scope_id": "s", "bucket_id": "o"},
        {"name": "c", "state": "building", "keyspace_id": "orders"},
        {"name": "c", "state": "online", "keyspace_id": "orders"},
        {"name": "c", "state": "pending", "keyspace_id": "orders"},
    ]
    ours = indexes.Indexes(lambda *_: rows, ("orders", "_default", "_default"), "")
    assert ours._look(1.0) == {"c": "online"}
    theirs = indexes.Indexes(lambda *_: rows, ("o", "s", "c"), "")
    assert theirs._look(1.0) == {"b": "online"}


# The statements as they were, and as they are


def old_keys(where, document_id):
    return (
        f"SELECT b.created_at, b.order_id FROM `orders` AS b WHERE {where} "
        f"AND META(b).id = {document_id} "
        "AND b.created_at <= $at AND (b.created_at < $at OR b.order_id < $id) "
        "AND b.order_id BETWEEN 0 AND 9007199254740991 "
        "ORDER BY b.created_at DESC, b.order_id DESC LIMIT $count"
    )


OWN_ID = {
    "order": "TO_STRING(b.order_id)",
    "alert": '"alert::" || TO_STRING(b.order_id)',
    "payment": '"payment::" || TO_STRING(b.order_id)',
    "dead-letter": '"dead-letter::" || TO_STRING(b.order_id)',
    "shadow": '"shadow::" || TO_STRING(b.order_id)',
}
OLD_PAGES = {
    (None, None): old_keys('b.type = "order"', OWN_ID["order"]),
    ("IN", None): old_keys('b.type = "order" AND b.country = $country', OWN_ID["order"]),
    (None, "alert"): old_keys('b.type = "alert"', OWN_ID["alert"]),
    (None, "declined"): old_keys(
        'b.type = "payment" AND b.status = "DECLINED"', OWN_ID["payment"]
    ),
}


def documents(seed, count=400):
    """Documents with few times and ids, and fields of any type among them."""
    chance = random.Random(seed)
    found = {}
    for number in range(count):
        strange = chance.random() < 0.15
        value = {
            "type": chance.choice(["order", *OWN_ID]),
            "created_at": chance.choice(["2025-01", "2025-02", "2025-03", None, 7]),
            "order_id": chance.randrange(60) if not strange else chance.choice(ODD),
            "country": chance.choice(["IN", "DE"]),
            "status": chance.choice(["PAID", "DECLINED"]),
            "kafka_timestamp": chance.choice([*range(0, 90_000, 7_000), "soon", None]),
            "amount": 1.5,
        }
        if strange:
            del value[chance.choice(["created_at", "order_id", "country"])]
        key = f"{value['type']}::{value.get('order_id')}".removeprefix("order::")
        if chance.random() < 0.3:
            key = f"theirs {number}"
        found[key.encode()] = msgspec.json.encode(value)
    return found


ODD = ["7", None, 2.5, 2**60, -2, [1], True]


def service(stored):
    queries = Queries("orders", lambda: stored)
    for name in INDEXES:
        queries.answer({"statement": create(name)})
    return queries


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("asked", OLD_PAGES, ids=str)
def test_pages_are_those_of_the_old_statement(seed, asked):
    queries = service(documents(seed))
    country, status = asked
    chance = random.Random(seed)
    for at, order_id in [
        TOP,
        *((chance.choice(TIMES), chance.randrange(70)) for _ in range(9)),
    ]:
        query = OrderQuery(after=(at, order_id), country=country, status=status)
        statement, values = keys(query)
        values = {f"${k}": v for k, v in values.items()} | {"$count": chance.randrange(1, 40)}
        new = queries.answer({"statement": statement.text.format("`orders`"), **values})
        old = queries.answer({"statement": OLD_PAGES[asked], **values})
        # With equal times and ids the order is anybody's.
        assert old == new


TIMES = ["2025-01", "2025-02", "2025-03", "2024", "2026", ""]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", BY_ID)
def test_scan_finds_what_the_old_statement_found_and_is_ours(seed, kind):
    stored = documents(seed)
    queries = service(stored)
    queries.answer({"statement": "CREATE INDEX `orderapp_by_id` ON `orders` (type, order_id)"})
    text = BY_ID[kind].text.format("`orders`")
    tag = kind.__struct_config__.tag
    plain = (
        f"{text.partition(' USE ')[0]} USE INDEX (`orderapp_by_id` USING GSI) "
        f'WHERE b.type = "{tag}" AND META(b).id = {OWN_ID[tag]} '
        "AND b.order_id > $after ORDER BY b.order_id LIMIT $count"
    )
    for after in (-1, 5, 70):
        values = {"$after": after, "$count": 30}
        found = [queries.answer({"statement": t, **values}) for t in (text, plain)]
        assert [scan.index for scan in queries.scans[-2:]] == ["orderapp_ids", "orderapp_by_id"]
        assert found[0] == found[1]


def test_condition_on_the_id_reaches_the_index_as_one_of_its_keys():
    """Beside the key, it would not: then every entry is read, whatever the limit."""
    stored = {b"%d" % n: b'{"type":"order","order_id":%d}' % n for n in range(900)}
    stored |= {b"theirs %d" % n: stored[b"%d" % n] for n in range(900)}
    queries = service(stored)
    queries.answer({"statement": "CREATE INDEX `plain` ON `orders` (type, order_id)"})
    plain = (
        "SELECT b.amount FROM `orders` AS b USE INDEX (`plain` USING GSI) "
        'WHERE b.type = "order" AND META(b).id = TO_STRING(b.order_id) '
        "AND b.order_id > $after ORDER BY b.order_id LIMIT $count"
    )
    read = []
    for text in (BY_ID[OrderDocument].text.format("`orders`"), plain):
        assert len(queries.answer({"statement": text, "$after": 99, "$count": 50})) == 50
        read.append(queries.scans[-1].entries)

    assert read == [50, 1600]


def test_totals_are_answered_by_their_index_alone():
    stored = documents(1)
    queries = service(stored)
    values = {"$type": "order", "$start": 0, "$end": 90_000, "$entries": 3}
    for statement in (statements.EDGE, statements.COUNTS, statements.SPANS):
        queries.answer({"statement": statement.text.format("`orders`"), **values})
        assert queries.scans[-1].documents == 0
        assert 0 < queries.scans[-1].entries < len(stored) / 2


def test_page_reads_its_own_entries_and_no_more_also_among_equal_times():
    equal = {
        b"%d" % n: b'{"type":"order","order_id":%d,"created_at":"2025"}' % n for n in range(900)
    }
    queries = service(equal)
    statement, _ = keys(OrderQuery(after=("2025", 500)))
    values = {"$at": "2025", "$id": 500, "$count": 50}
    read = []
    for text in (statement.text.format("`orders`"), OLD_PAGES[None, None]):
        queries.answer({"statement": text, **values})
        read.append(queries.scans[-1].entries)

    assert read == [50, 900]


def test_scan_keeps_its_limit_beside_an_index_of_another_program():
    stored = {b"%d" % n: b'{"type":"order","order_id":%d}' % n for n in range(900)}
    queries = service(stored)
    queries.indexes["theirs"] = Index(
        "theirs", [(("path", "order_id"), False), (("path", "created_at"), False)]
    )
    values = {"$after": 99, "$count": 50}
    queries.answer({"statement": BY_ID[OrderDocument].text.format("`orders`"), **values})

    assert queries.scans[-1].entries == 50
