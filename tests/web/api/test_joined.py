"""Reads that are shared: one at a time, and never older than the question."""

import asyncio

import pytest

from orderapp.web.api.joined import PATIENCE, Joined


class Source:
    """Counts its reads, which end when they are let go."""

    def __init__(self):
        self.version = 0
        self.reads = []
        self.go = asyncio.Event()

    async def read(self, key):
        self.reads.append(key)
        seen = self.version
        await self.go.wait()
        return b"%d" % seen


async def turn():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_at_the_same_time_share_a_read():
    source = Source()
    joined = Joined(source.read)
    source.go.set()

    assert await asyncio.gather(*(joined.get(10) for _ in range(5))) == [b"0"] * 5
    assert source.reads == [10]


async def test_who_asks_while_a_read_runs_gets_what_is_true_now():
    source = Source()
    joined = Joined(source.read)
    first = asyncio.create_task(joined.get(10))
    await turn()
    source.version = 1
    later = [asyncio.create_task(joined.get(10)) for _ in range(3)]
    await turn()
    assert source.reads == [10]  # one at a time
    source.go.set()

    assert await first == b"0"
    assert await asyncio.gather(*later) == [b"1"] * 3
    assert source.reads == [10, 10]


async def test_a_read_that_hangs_holds_up_nobody_for_long():
    source = Source()
    joined = Joined(source.read)
    hung = asyncio.create_task(joined.get(10))
    await turn()
    later = asyncio.create_task(joined.get(10))
    await turn()
    await asyncio.sleep(PATIENCE + 0.05)
    await turn()

    assert source.reads == [10, 10]
    source.go.set()
    await asyncio.gather(hung, later)


async def test_keys_do_not_wait_for_each_other():
    source = Source()
    joined = Joined(source.read)
    tasks = [asyncio.create_task(joined.get(key)) for key in (1, 2)]
    await turn()

    assert source.reads == [1, 2]
    source.go.set()
    await asyncio.gather(*tasks)


async def test_who_gives_up_takes_nothing_from_the_others():
    source = Source()
    joined = Joined(source.read)
    one, other = (asyncio.create_task(joined.get(10)) for _ in range(2))
    await turn()
    one.cancel()
    await turn()
    source.go.set()

    assert await other == b"0"


async def test_an_error_reaches_all_and_the_next_read_begins_anew():
    answers = [OSError("away"), b"back"]

    async def read(key):
        await asyncio.sleep(0)
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    joined = Joined(read)
    failed = await asyncio.gather(joined.get(1), joined.get(1), return_exceptions=True)

    assert [str(error) for error in failed] == ["away", "away"]
    assert await joined.get(1) == b"back"
    with pytest.raises(IndexError):
        await joined.get(1)
