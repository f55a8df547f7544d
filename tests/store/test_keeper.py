"""The store that a worker starts with: open as soon as the real one can be opened."""

import asyncio

import pytest

from orderapp.engine.observe.held_up import standing_still
from orderapp.settings import Faults
from orderapp.store import StoreRejected, StoreUnavailable
from orderapp.store import keeper as keeper_module
from orderapp.store.faulty import FaultyStore
from orderapp.store.keeper import StoreKeeper
from tests.store.examples import order
from tests.store.fake import MemoryStore


class OpensLater(MemoryStore):
    """A store that fails to open first, once for each error."""

    def __init__(self, *errors):
        super().__init__()
        self.errors = list(errors)
        self.is_opened = asyncio.Event()

    async def open(self):
        if self.errors:
            raise self.errors.pop(0)
        await super().open()
        self.is_opened.set()


@pytest.fixture
async def keep():
    keepers = []

    async def start(store):
        rejected = []
        keeper = StoreKeeper(store, rejected.append)
        keepers.append(keeper)
        await keeper.start()
        return keeper, rejected

    yield start
    for keeper in keepers:
        await keeper.stop()


async def test_store_that_is_away_is_opened_when_it_is_back(keep):
    store = OpensLater(StoreUnavailable("away"))
    keeper, rejected = await keep(store)
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="away"):
        await keeper.ping()

    async with asyncio.timeout(60):
        await store.is_opened.wait()
    await asyncio.sleep(0)
    await keeper.upsert([order(1)])
    assert (await keeper.story(1)).order == order(1)
    assert rejected == []


async def test_store_that_will_never_open_is_reported_and_refuses_every_call(keep):
    keeper, rejected = await keep(OpensLater(StoreRejected("no such bucket")))
    await asyncio.sleep(0)

    assert [str(error) for error in rejected] == ["no such bucket"]
    with pytest.raises(StoreRejected, match="no such bucket"):
        await keeper.upsert([order(1)])


class Hangs(MemoryStore):
    """A store whose writes neither succeed nor fail until it is told."""

    def __init__(self):
        super().__init__()
        self.goes_on = asyncio.Event()

    async def upsert(self, documents):
        await self.goes_on.wait()
        await super().upsert(documents)


@pytest.mark.parametrize("end", ["success", "failure", "given up"])
async def test_a_write_that_hangs_stands_still_until_it_ends(keep, monkeypatch, end):
    monkeypatch.setattr(keeper_module, "SLOW_WRITE", 0.05)
    store = Hangs()
    keeper, _ = await keep(store)
    await asyncio.sleep(0)
    write = asyncio.create_task(keeper.upsert([order(1)]))
    await asyncio.sleep(0)

    assert not [*standing_still], "not yet"
    await asyncio.sleep(0.1)
    assert [*standing_still] == ["store: upsert"]
    if end == "given up":
        write.cancel()
    if end == "failure":
        store.fail(StoreUnavailable("disk full"))
    store.goes_on.set()
    await asyncio.wait([write])

    assert not [*standing_still]
    await asyncio.sleep(0.1)
    assert not [*standing_still]


async def test_store_is_closed_with_its_keeper(keep):
    store = MemoryStore()
    keeper, _ = await keep(store)
    await asyncio.sleep(0)
    await keeper.ping()
    await keeper.stop()

    with pytest.raises(StoreUnavailable):
        await store.ping()


async def test_faulty_store_refuses_writes_and_answers_reads():
    store = FaultyStore(MemoryStore(), Faults(store_slow=0.01, store_refuse=1.0))
    await store.open()

    with pytest.raises(StoreUnavailable, match="ORDERAPP_FAULT_STORE_REFUSE"):
        await store.upsert([order(1)])
    assert await store.story(1) is None
    await store.close()
