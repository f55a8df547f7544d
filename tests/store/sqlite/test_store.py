"""What only the SQLite store does: files, locks, a full disk, power cuts."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orderapp.store import (
    Activity,
    CountryStats,
    OrderDocument,
    OrderQuery,
    OrderStory,
    StoreRejected,
    StoreUnavailable,
)
from orderapp.store.sqlite import SQLiteStore, read, schema, write
from orderapp.store.sqlite import store as module
from tests.e2e.worker import eventually
from tests.store.examples import alert, dead_letter, order, payment, shadow
from tests.ticks import ticking

ROOT = Path(__file__).parents[3]

WRITER = """
import asyncio, os, signal, sys
from pathlib import Path
from orderapp.store.sqlite import SQLiteStore
from tests.store.examples import order

async def main(path, first, batches, end):
    store = SQLiteStore(Path(path))
    await store.open()
    for start in range(int(first), int(first) + int(batches) * 100, 100):
        await store.upsert([order(start + i) for i in range(100)])
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def start_writer(path, first, batches, end="close"):
    arguments = [str(path), str(first), str(batches), end]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], cwd=ROOT)


def count(path, table="orders"):
    with sqlite3.connect(path) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders.sqlite"


@pytest.fixture
def locked(path):
    """A connection of somebody else that holds the write lock of the open store's file."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@contextmanager
def ordinary_user():
    """Be a user whom permissions hold back."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def let_others_look_into(directory):
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(0o755)


async def refused(path, **options):
    store = SQLiteStore(path, **options)
    with pytest.raises(StoreRejected) as error:
        await store.open()
    await store.close()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


# Files


async def test_missing_directory_is_created(tmp_path):
    store = SQLiteStore(tmp_path / "a" / "b" / "orders.sqlite")
    await store.open()
    await store.upsert([order()])
    await store.close()

    assert count(tmp_path / "a" / "b" / "orders.sqlite") == 1


async def test_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_text("a letter to somebody, not a database" * 100)

    assert "not a database" in await refused(path)
    assert path.read_text().startswith("a letter")


async def test_directory_in_its_place_is_refused(path):
    path.mkdir()

    await refused(path)


async def test_file_in_place_of_its_directory_is_refused(path):
    path.write_text("")

    await refused(path / "orders.sqlite")


async def test_read_only_directory_is_refused(path, tmp_path):
    let_others_look_into(tmp_path)
    tmp_path.chmod(0o555)

    with ordinary_user():
        await refused(path)
        await refused(path.parent / "missing" / "orders.sqlite")


async def test_read_only_file_is_refused(path, tmp_path):
    store = SQLiteStore(path)
    await store.open()
    await store.close()
    path.chmod(0o444)
    let_others_look_into(tmp_path)

    with ordinary_user():
        await refused(path)


async def test_file_of_a_newer_version_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")

    assert "newer" in await refused(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


async def test_tables_of_somebody_else_are_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (something INTEGER)")

    await refused(path)


async def test_read_only_store_reads_beside_a_writer_and_leaves_the_file_alone(path):
    writer, reader = SQLiteStore(path), SQLiteStore(path, read_only=True)
    await writer.open()
    await writer.upsert([order(1)])
    await reader.open()
    before = path.read_bytes()

    assert await reader.scan(OrderDocument, None, 10) == [order(1)]
    with pytest.raises(StoreUnavailable):
        await reader.upsert([order(2)])
    await reader.close()
    assert path.read_bytes() == before
    await writer.close()


async def test_read_only_store_makes_no_file_and_no_tables(path):
    missing = path.parent / "missing" / "orders.sqlite"
    await refused(missing, read_only=True)
    assert not missing.parent.exists()

    path.touch()
    assert "no worker has stored orders here" in await refused(path, read_only=True)
    assert path.read_bytes() == b""


async def test_open_works_after_it_was_refused(path):
    path.mkdir()
    store = SQLiteStore(path)
    with pytest.raises(StoreRejected):
        await store.open()

    path.rmdir()
    await store.open()
    await store.upsert([order()])
    await store.close()
    assert count(path) == 1


@pytest.mark.parametrize("kind", schema.TABLES, ids=lambda kind: kind.__name__)
def test_every_field_has_a_column(kind):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)

    rows = connection.execute(f"PRAGMA table_info({schema.TABLES[kind]})")
    assert sorted(kind.__struct_fields__) == sorted(row[1] for row in rows)


def turn_columns_around(connection):
    """Make every table anew with its columns in the opposite order."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (table,) in tables.fetchall():
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        made = ", ".join(f"{name} {kind}" for _, name, kind, *_ in reversed(columns))
        key = ", ".join(name for _, name, *_, is_key in columns if is_key)
        made += f", PRIMARY KEY ({key})"
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"CREATE TABLE {table} ({made})")


async def test_columns_may_stand_in_any_order(path):
    """As they do after a field in the middle came by ALTER TABLE, which adds at the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.create(connection)
        turn_columns_around(connection)
    now = int(time.time()) // 10 * 10
    at = {"country": "IN", "kafka_timestamp": now * 1000}
    documents = [order(**at), alert(**at), payment(**at), dead_letter()]
    store = SQLiteStore(path)
    await store.open()
    for _ in range(2):  # the second time they replace what is there
        await store.upsert(documents)
    story = OrderStory(documents[0], [documents[1]], *documents[2:])

    assert documents == [(await store.scan(type(d), None, 10))[0] for d in documents]
    assert story == await store.story(1)
    assert [story] == await store.latest(10) == (await store.page(OrderQuery())).stories
    stats = await store.stats(0)
    assert [CountryStats("IN", 1, 1, 1, 0, 450.25)] == stats.countries
    assert [Activity(now, 1, 1)] == stats.activity
    await store.close()


def test_latest_orders_are_read_from_the_index():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)

    plan = str(connection.execute("EXPLAIN QUERY PLAN " + read._LATEST, (10,)).fetchall())
    assert "orders USING INDEX orders_by_time" in plan
    assert "SCAN alerts" not in plan
    assert "SCAN payments" not in plan
    assert "SCAN dead_letters" not in plan


def test_upsert_statements_fit_an_old_sqlite():
    widest = max(len(kind.__struct_fields__) for kind in schema.TABLES)

    assert widest * write.ROWS <= 999


# Locks and failing disks


async def test_locked_file_is_unavailable_after_a_bounded_wait(monkeypatch, sqlite, locked):
    await sqlite.close()
    locked.execute("ROLLBACK")
    monkeypatch.setattr(module, "WRITE_LOCK_WAIT", 0.3)
    await sqlite.open()
    locked.execute("BEGIN IMMEDIATE")
    start = time.monotonic()

    async def upsert():
        with pytest.raises(StoreUnavailable, match=r"\.sqlite: locked by another process"):
            await sqlite.upsert([order()])

    _, ticks = await ticking(upsert())

    assert time.monotonic() - start > 0.2
    assert ticks < 200
    locked.execute("ROLLBACK")
    await sqlite.upsert([order()])
    assert order() == (await sqlite.story(1)).order


async def test_upsert_waits_for_a_lock_that_is_let_go(sqlite, locked):
    upsert = asyncio.ensure_future(sqlite.upsert([order()]))
    await asyncio.sleep(0.2)
    assert not upsert.done()

    locked.execute("ROLLBACK")
    await upsert
    assert order() == (await sqlite.story(1)).order


async def test_reads_and_the_loop_go_on_while_a_write_waits(sqlite, locked):
    upsert = asyncio.ensure_future(sqlite.upsert([order()]))
    for _ in range(20):
        await sqlite.latest(10)
        await sqlite.ping()
        await asyncio.sleep(0.001)
    assert not upsert.done()

    locked.execute("ROLLBACK")
    await upsert


async def test_write_that_hangs_ends_at_its_limit(monkeypatch, sqlite, locked):
    monkeypatch.setattr(module, "WRITE_LIMIT", 0.2)

    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"):
        await sqlite.upsert([order()])
    locked.execute("ROLLBACK")


async def test_full_disk_is_unavailable_until_there_is_room(sqlite):
    await sqlite.upsert([order()])
    limit_pages(sqlite, 1)

    with pytest.raises(StoreUnavailable, match=r"orders\.sqlite: disk full"):
        await sqlite.upsert([order(i) for i in range(2, 2_000)])

    assert await sqlite.story(2) is None
    limit_pages(sqlite, 10_000)
    await sqlite.upsert([order(i) for i in range(2, 2_000)])
    assert order(1_999) == (await sqlite.story(1_999)).order


def limit_pages(store, pages):
    statement = f"PRAGMA max_page_count = {pages}"
    store._writer._thread.submit(lambda c: c.execute(statement).fetchall()).result()


# Batches


@pytest.mark.parametrize("size", [1, 89, 90, 91, 180, 250])
async def test_batch_of_any_size_is_stored_whole(path, sqlite, size):
    makers = (order, alert, payment, dead_letter, shadow)
    await sqlite.upsert([make(i) for i in range(size) for make in makers])

    assert [size] * 5 == [count(path, table) for table in schema.TABLES.values()]
    one, found, *others, in_shadow = (make(size - 1) for make in makers)
    assert await sqlite.story(size - 1) == OrderStory(one, [found], *others, [in_shadow])


@pytest.mark.parametrize(
    "bad",
    [order(2**63), order(5, amount=float("nan")), order(5, country="\ud800")],
    ids=["id too big", "amount not a number", "half a character"],
)
async def test_bad_document_is_rejected_without_those_of_other_callers(sqlite, bad, locked):
    first = asyncio.ensure_future(sqlite.upsert([order(1)]))
    await asyncio.sleep(0.05)
    # These wait together behind the first, and go into one transaction.
    others = [asyncio.ensure_future(sqlite.upsert([d])) for d in (order(2), bad, order(3))]
    locked.execute("ROLLBACK")
    _, ok, error, also_ok = await asyncio.gather(first, *others, return_exceptions=True)

    assert (ok, also_ok) == (None, None)
    assert isinstance(error, StoreRejected)
    assert order(2) == (await sqlite.story(2)).order
    assert order(3) == (await sqlite.story(3)).order
    assert await sqlite.story(5) is None


async def test_batches_that_wait_share_one_transaction(sqlite, locked):
    statements = []
    sqlite._writer._thread.submit(lambda c: c.set_trace_callback(statements.append)).result()
    first = asyncio.ensure_future(sqlite.upsert([order(0)]))
    await asyncio.to_thread(eventually, lambda: statements, "the first one waits")
    others = [asyncio.ensure_future(sqlite.upsert([order(i)])) for i in range(1, 20)]
    await asyncio.sleep(0)
    locked.execute("ROLLBACK")
    await asyncio.gather(first, *others)

    assert statements.count("COMMIT") == 2


async def test_cancelled_upsert_leaves_the_next_one_alone(sqlite, locked):
    first = asyncio.ensure_future(sqlite.upsert([order(1)]))
    await asyncio.sleep(0.05)
    second = asyncio.ensure_future(sqlite.upsert([order(2)]))
    await asyncio.sleep(0.05)
    first.cancel()
    second.cancel()
    locked.execute("ROLLBACK")

    await sqlite.upsert([order(3)])
    assert order(3) == (await sqlite.story(3)).order
    assert await sqlite.story(2) is None


async def test_close_finishes_the_writes_that_wait(path, sqlite):
    upserts = [asyncio.ensure_future(sqlite.upsert([order(i)])) for i in range(50)]
    await asyncio.sleep(0)
    await sqlite.close()
    await asyncio.gather(*upserts)

    assert count(path) == 50


async def test_id_that_no_column_holds_has_no_story(sqlite):
    assert await sqlite.story(2**63) is None
    assert await sqlite.story(-(2**63) - 1) is None


# Processes


async def test_processes_that_start_at_once_share_one_file(path):
    writers = [start_writer(path, first, batches=20) for first in (0, 10_000, 20_000)]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert count(path) == 6_000


async def test_what_was_written_survives_a_kill(path):
    writer = start_writer(path, 0, batches=20, end="kill")

    assert writer.wait(60) == -signal.SIGKILL
    assert count(path) == 2_000


async def test_every_commit_is_synced(sqlite):
    pragma = sqlite._writer._thread.submit(lambda c: c.execute("PRAGMA synchronous").fetchone())

    assert pragma.result() == (2,)  # FULL


async def test_partitions_side_by_side_fill_pages_as_one_of_rising_ids_does(tmp_path):
    documents = [order(n, kafka_partition=n % 6) for n in range(1, 3_001)]
    by_partition = sorted(documents, key=lambda one: one.kafka_partition)
    pages = set()
    for name, batch in (("rising", documents), ("side by side", by_partition)):
        store = SQLiteStore(tmp_path / name)
        await store.open()
        await store.upsert(batch)
        await store.close()
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            pages.add(connection.execute("PRAGMA page_count").fetchone())

    assert len(pages) == 1
