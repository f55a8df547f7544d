"""Where a process is, without what it knows."""

import asyncio
import re
import threading

import pytest

from orderapp.engine.observe import stacks
from orderapp.engine.observe.stacks import LoopWatch


def said():
    return stacks.stacks({"the main loop": asyncio.get_running_loop()})


async def outer(password, until):
    await inner(password, until)


async def inner(password, until):
    assert password
    await until.wait()


async def items(until):
    await until.wait()
    yield 1


async def reads(until):
    async for _ in items(until):
        pass


@pytest.fixture
async def waiting():
    """Tasks of these coroutine functions, which end with the test."""
    until, tasks = asyncio.Event(), []

    async def begin(*coroutines):
        tasks.extend(asyncio.create_task(made(until)) for made in coroutines)
        await asyncio.sleep(0.01)

    yield begin
    until.set()
    await asyncio.gather(*tasks)


async def test_a_task_is_shown_down_to_its_innermost_wait(waiting):
    await waiting(lambda until: outer("swordfish", until))

    assert re.search(
        r"^task of the main loop:\n"
        r"  engine/observe/test_stacks.py:\d+ outer\n"
        r"  engine/observe/test_stacks.py:\d+ inner\n"
        r"  .*asyncio/locks.py:\d+ Event.wait$",
        said(),
        re.MULTILINE,
    )


async def test_tasks_that_wait_alike_are_one_stack(waiting):
    await waiting(*[lambda until: outer("swordfish", until)] * 300)

    assert said().count(" outer\n") == 1
    assert "task of the main loop (300 of them):" in said()


async def test_an_iteration_is_shown_as_far_as_python_tells(waiting):
    await waiting(reads)

    assert re.search(r"task of the main loop:\n  \S+test_stacks.py:\d+ reads$", said(), re.M)


async def test_all_threads_are_shown_by_their_names():
    until = threading.Event()
    thread = threading.Thread(target=until.wait, name="other", daemon=True)
    thread.start()

    text = said()
    until.set()

    assert "thread other:\n" in text
    assert "thread MainThread:\n" in text


async def test_nothing_that_a_program_knows_is_shown(waiting):
    await waiting(lambda until: outer("swordfish", until))

    assert "swordfish" not in said()


async def test_an_endless_stack_is_cut_at_its_outer_end():
    def deep(count):
        return deep(count - 1) if count else said()

    main = deep(100).partition("thread MainThread:\n")[2]
    shown = main.splitlines()[: stacks.DEPTH]

    assert all(line.startswith("  ") for line in shown)
    assert "stacks" in shown[-1]


def test_of_many_different_stacks_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(stacks, "_threads", lambda: ((f"thread {n}", "  x") for n in range(99)))

    text = stacks.stacks({})

    assert text.count("thread ") == stacks.MOST
    assert text.endswith(f"…and {99 - stacks.MOST} more")


class Looks:
    """When a watch looks: when the test says so, not when its time is over, of which a paused
    thread may have missed some."""

    def __init__(self):
        self.may_look, self.has_looked = threading.Semaphore(0), threading.Semaphore(0)
        self.over = False

    def clear(self):
        """It has not begun."""

    def set(self):
        self.over = True
        self.may_look.release()

    def wait(self, seconds):
        self.has_looked.release()
        self.may_look.acquire()
        return self.over


@pytest.fixture
def watch():
    """A watch of this thread as if it were a loop's."""
    made = LoopWatch(0.2, dict)
    made._ended = Looks()
    made.start()
    made._ended.has_looked.acquire()
    yield made
    made.stop()


def look(watch, *, runs, times=10):
    """So many looks at a loop that runs, or does not."""
    for _ in range(times):
        if runs:
            watch.tick()
        watch._ended.may_look.release()
        watch._ended.has_looked.acquire()


def test_a_loop_that_runs_is_not_told(watch, caplog):
    look(watch, runs=True)

    assert caplog.records == []


def test_a_look_or_two_that_found_no_tick_are_no_hang(watch, caplog):
    look(watch, runs=True)
    look(watch, runs=False, times=3)
    look(watch, runs=True)

    assert caplog.records == []


def test_a_loop_that_hangs_is_told_once_with_the_place_and_so_is_its_end(watch, caplog):
    caplog.set_level("INFO", "orderapp.engine.observe.stacks")
    look(watch, runs=True)
    look(watch, runs=False)
    look(watch, runs=True)

    hang, end = caplog.records
    told = hang.getMessage()
    assert told.startswith("stalled, /healthz does not answer: the event loop has hung for ")
    assert re.search(
        r"thread MainThread:\n(  .*\n)*  \S+test_stacks.py:\d+ "
        r"test_a_loop_that_hangs_is_told_once_with_the_place_and_so_is_its_end$",
        hang.details,
        re.MULTILINE,
    )
    assert end.message == "the event loop no longer hangs"


def test_it_ends_and_tells_nothing_after_it(caplog):
    # An end does not wait: the thread of another test's watch may be about to end.
    others = set(threading.enumerate())
    made = LoopWatch(60, dict)
    made.start()
    (thread,) = {each for each in threading.enumerate() if each.name == "LoopWatch"} - others

    made.stop()
    thread.join(60)

    assert not thread.is_alive()
    assert caplog.records == []
