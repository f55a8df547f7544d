"""Reads that go to the thread and come back together."""

import asyncio
import threading

import pytest

from orderapp.store import StoreRejected
from orderapp.store.sqlite import reader
from orderapp.store.sqlite.reader import Reader
from orderapp.store.sqlite.thread import open_connection

SECONDS = 60


class Gate:
    """A read that the test lets through."""

    def __init__(self):
        self.is_reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.may_go_on = threading.Event()

    def __call__(self, _):
        self._loop.call_soon_threadsafe(self.is_reached.set)
        assert self.may_go_on.wait(SECONDS)
        return "gate"


@pytest.fixture
async def reads(tmp_path):
    reads = Reader(
        await open_connection(tmp_path / "file.sqlite", 1.0, lambda _: None, name="read")
    )
    handed_over, submit = [], reads._thread.submit

    def count(function):
        handed_over.append(function)
        return submit(function)

    reads._thread.submit = count
    reads.handed_over = handed_over
    yield reads
    reads._thread._thread.shutdown()


def number(n):
    return lambda connection: connection.execute("SELECT ?", (n,)).fetchone()[0]


async def within(*answers):
    async with asyncio.timeout(SECONDS):
        return await asyncio.gather(*answers)


async def test_what_is_asked_in_one_turn_goes_over_once(reads):
    assert await within(*(reads.read(number(n)) for n in range(50))) == list(range(50))
    assert len(reads.handed_over) == 1


async def test_what_is_asked_while_the_thread_is_busy_goes_over_once(reads):
    gate = Gate()
    first = reads.read(gate)
    await within(gate.is_reached.wait())
    others = []
    for n in range(20):
        others.append(reads.read(number(n)))
        await asyncio.sleep(0)
    gate.may_go_on.set()

    assert await within(first, *others) == ["gate", *range(20)]
    assert len(reads.handed_over) == 2


async def test_it_goes_on_after_everything_was_answered(reads):
    for n in range(3):
        assert await within(reads.read(number(n))) == [n]
    assert len(reads.handed_over) == 3


async def test_an_error_is_that_of_its_read_alone(reads):
    before, bad, after = (
        reads.read(number(1)),
        reads.read(lambda connection: connection.execute("SELECT nowhere")),
        reads.read(number(2)),
    )

    assert await within(before, after) == [1, 2]
    with pytest.raises(StoreRejected, match=r"file\.sqlite: no such column: nowhere"):
        await within(bad)


async def test_a_bug_in_a_read_reaches_who_asked(reads):
    with pytest.raises(ZeroDivisionError):
        await within(reads.read(lambda _: 1 / 0))
    assert await within(reads.read(number(1))) == [1]


async def test_what_was_given_up_is_not_read(reads):
    gate, ran = Gate(), []
    first = reads.read(gate)
    await within(gate.is_reached.wait())
    given_up = reads.read(ran.append)
    given_up.cancel()
    gate.may_go_on.set()

    assert await within(first, reads.read(number(1))) == ["gate", 1]
    assert ran == []


async def test_a_thread_that_hangs_does_not_keep_what_was_given_up(reads, monkeypatch):
    monkeypatch.setattr(reader, "MANY", 10)
    gate = Gate()
    first = reads.read(gate)
    await within(gate.is_reached.wait())
    kept = reads.read(number(7))
    for n in range(1_000):
        reads.read(number(n)).cancel()
    waiting = len(reads._waiting)
    gate.may_go_on.set()

    assert waiting <= 11
    assert await within(first, kept) == ["gate", 7]


async def test_many_that_wait_are_all_answered(reads, monkeypatch):
    monkeypatch.setattr(reader, "MANY", 10)
    gate = Gate()
    first = reads.read(gate)
    await within(gate.is_reached.wait())
    waiting = [reads.read(number(n)) for n in range(100)]
    gate.may_go_on.set()

    assert await within(first, *waiting) == ["gate", *range(100)]


async def test_what_is_given_up_while_it_is_read_harms_nobody(reads):
    gate = Gate()
    first, second = reads.read(gate), reads.read(number(1))
    await within(gate.is_reached.wait())
    first.cancel()
    gate.may_go_on.set()

    assert await within(second) == [1]


async def test_a_slow_read_holds_up_none_that_was_read_before(reads, monkeypatch):
    monkeypatch.setattr(reader, "HOLD", 0)
    gate = Gate()
    quick, slow = reads.read(number(1)), reads.read(gate)

    assert await within(quick) == [1]
    assert not slow.done()
    gate.may_go_on.set()
    assert await within(slow) == ["gate"]


async def test_closing_answers_what_was_asked(reads):
    gate = Gate()
    first = reads.read(gate)
    await within(gate.is_reached.wait())
    second = reads.read(number(1))
    closing = asyncio.create_task(reads.close())
    await asyncio.sleep(0)
    gate.may_go_on.set()

    await within(closing)
    assert await within(first, second) == ["gate", 1]
