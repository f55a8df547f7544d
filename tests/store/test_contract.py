"""What every store does: memory, SQLite, Couchbase (the double, and a server if there is one).

The server's bucket keeps the documents of every run.
"""

import asyncio
import os
import time

import pytest

from orderapp.store import OrderStory, StoreError
from orderapp.store.couchbase import CouchbaseStore
from orderapp.store.sqlite import SQLiteStore
from tests.store.examples import alert, order, payment
from tests.store.fake import MemoryStore

SERVER = "ORDERAPP_TEST_COUCHBASE"


def server_store():
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} (with _USERNAME, _PASSWORD, _BUCKET) names no Couchbase server")
    names = (SERVER, f"{SERVER}_USERNAME", f"{SERVER}_PASSWORD", f"{SERVER}_BUCKET")
    return CouchbaseStore(*(os.environ[name] for name in names))


@pytest.fixture(params=["memory", "sqlite", "double", "server"])
async def store(request, tmp_path):
    if request.param == "memory":
        store = MemoryStore()
    elif request.param == "sqlite":
        store = SQLiteStore(tmp_path / "orders.sqlite")
    elif request.param == "double":
        store = CouchbaseStore(*request.getfixturevalue("double").access)
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
    await store.upsert([payment(n), alert(n), order(n)])

    assert OrderStory(order(n), [alert(n)], payment(n)) == await store.story(n)


async def test_documents_of_an_unknown_order_show_up_once_it_arrives(store, n):
    await store.upsert([payment(n), alert(n)])
    assert await store.story(n) is None

    await store.upsert([order(n)])
    assert OrderStory(order(n), [alert(n)], payment(n)) == await store.story(n)


@pytest.mark.parametrize("make", [order, alert, payment])
async def test_second_upsert_wins_over_the_first(store, n, make):
    changed = make(n, amount=1.5, kafka_offset=99)
    await store.upsert([order(n), make(n)])
    await store.upsert([changed])

    story = await store.story(n)
    assert changed in (story.order, *story.alerts, story.payment)


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
    await store.upsert([*orders, alert(n + 3), payment(n + 2)])

    expected = [
        OrderStory(orders[2], [alert(n + 3)], None),
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
    assert await asyncio.wait_for(store.ping(), 2) is None


async def test_store_may_be_closed_twice(store):
    await store.close()
    await store.close()


async def test_closed_store_refuses_every_call(store, n):
    await store.close()

    calls = (store.ping, lambda: store.story(n), lambda: store.latest(1))
    for call in (*calls, lambda: store.upsert([order(n)]), lambda: store.upsert([])):
        with pytest.raises(StoreError):
            await call()


async def test_closed_store_opens_again_with_its_documents(store, n):
    await store.upsert([order(n)])
    await store.close()
    await store.open()

    assert order(n) == (await store.story(n)).order


async def test_documents_outlive_the_store_object(double, tmp_path):
    for make in (
        lambda: CouchbaseStore(*double.access),
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
        lambda: CouchbaseStore("couchbase://127.0.0.1:1", "user", "password", "bucket"),
    ],
)
async def test_store_that_was_never_opened_closes(make):
    store = make()
    await store.close()

    with pytest.raises(StoreError):
        await store.ping()
