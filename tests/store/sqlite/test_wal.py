"""The log of writes: how large it gets, and that the file alone has what was written."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from orderapp.store.sqlite import SQLiteStore, writer
from tests.store.examples import order

MEGABYTE = 1024 * 1024


@pytest.fixture
async def store(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "REST", 0.05)
    made = SQLiteStore(tmp_path / "orders.db")
    await made.open()
    yield made
    await made.close()


def log_size(directory):
    return (directory / "orders.db-wal").stat().st_size


def orders_in(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM orders").fetchone()[0]


async def until(check):
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110 - a file's size
            await asyncio.sleep(0.02)


async def fill(store, directory, megabytes):
    """Write until the log is so large, which a reader that stays keeps from starting anew."""
    first = 0
    with closing(sqlite3.connect(directory / "orders.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM orders").fetchone()
        while log_size(directory) < megabytes * MEGABYTE:
            # Far from each other, so that each changes a page of its own.
            ids = range(first, first + 2000)
            await store.upsert([order(n * 7919 % 1_000_003) for n in ids])
            first += 2000
    return first


async def test_the_log_is_emptied_into_the_file_when_nothing_more_is_written(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "TIDY_AFTER", 0.2)
    written = await fill(store, tmp_path, 40)

    await until(lambda: log_size(tmp_path) == 0)

    shutil.copy(tmp_path / "orders.db", tmp_path / "alone.db")
    assert orders_in(tmp_path / "alone.db") == written
    await store.upsert([order(2_000_000)])
    assert orders_in(tmp_path / "orders.db") == written + 1


async def test_the_log_shrinks_after_a_peak_also_while_writing_goes_on(store, tmp_path):
    written = await fill(store, tmp_path, 40)

    for n in range(20):
        await store.upsert([order(2_000_000 + written + n)])

    assert log_size(tmp_path) <= 32 * MEGABYTE


async def test_who_reads_or_writes_is_not_held_up_and_the_log_is_emptied_later(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "TIDY_AFTER", 0.1)
    with closing(sqlite3.connect(tmp_path / "orders.db")) as other:
        while True:
            await store.upsert([order(1)])
            other.execute("BEGIN IMMEDIATE")
            if log_size(tmp_path) > 0:
                break
            other.rollback()  # after a pause: it was tidied before
        await asyncio.sleep(0.5)
        assert log_size(tmp_path) > 0
        other.execute("UPDATE orders SET country = 'XX'")
        other.execute("COMMIT")

        await until(lambda: log_size(tmp_path) == 0)

    # The patience with locks is what it was before.
    with closing(sqlite3.connect(tmp_path / "orders.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(store.upsert([order(2)]))
        await asyncio.sleep(0.5)
        assert not write.done()
        other.rollback()
        await write


class Clock:
    """The part of an event loop that tells the time, which goes on as the test says."""

    def __init__(self):
        self.now, self.calls = 100.0, []

    def time(self):
        return self.now

    def call_later(self, seconds, call):
        self.calls.append((self.now + seconds, call))
        return SimpleNamespace(cancel=self.calls.clear)

    def goes_on(self, seconds):
        self.now += seconds
        due = [each for each in self.calls if each[0] <= self.now]
        for each in due:
            self.calls.remove(each)
            each[1]()


async def test_a_write_that_follows_another_is_not_held_up_by_tidying(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "TIDY_AFTER", 0.0)
    monkeypatch.setattr(writer, "REST", 0.2)
    store._writer._loop = clock = Clock()
    for n in range(30):
        await store.upsert([order(n)])
        clock.goes_on(0.02)
        await asyncio.sleep(0.02)
        assert log_size(tmp_path) > 0

    clock.goes_on(0.2)
    clock.goes_on(0.2)
    await until(lambda: log_size(tmp_path) == 0)


async def test_nothing_is_tidied_after_the_end(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(writer, "TIDY_AFTER", 0.0)
    monkeypatch.setattr(writer, "REST", 0.0)
    store = SQLiteStore(tmp_path / "orders.db")
    await store.open()
    await store.upsert([order(1)])
    await store.close()
    await asyncio.sleep(0.1)

    assert caplog.records == []
    assert orders_in(tmp_path / "orders.db") == 1


async def test_no_other_process_takes_itself_for_the_last_one_at_the_file(store, tmp_path):
    """Whoever does deletes the log at its end, and what is written after that is lost."""
    await store.upsert([order(1)])
    program = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM orders')"
    )
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, tmp_path / "orders.db"], check=True
    )

    assert log_size(tmp_path) > 0
    await store.upsert([order(2)])
    assert orders_in(tmp_path / "orders.db") == 2


async def test_its_files_are_for_their_owner_alone(store, tmp_path):
    await store.upsert([order(1)])

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "orders.db": 0o600,
        "orders.db-shm": 0o600,
        "orders.db-wal": 0o600,
    }
