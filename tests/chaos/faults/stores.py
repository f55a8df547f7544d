"""The store dies, hangs and refuses."""

from collections.abc import Awaitable, Callable

from tests.chaos.faults import fault
from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World

# The longest wait between two tries of a write is 10 s.
SETTLE = 11


KIND = Kind(seconds=(6, 15), settle=SETTLE, away=True)
COPIES = Kind(seconds=(6, 15), settle=SETTLE, away=True, store="couchbase")


async def _hurt(world: World, strike: Strike, how: Callable[[float], Awaitable[None]]) -> None:
    # One after the other: the end of one fault would heal another.
    async with world.store_turn:
        with world.diary.event(strike.kind, f"for {strike.seconds} s"):
            await how(strike.seconds)


@fault("store-kill", KIND)
async def kill(world: World, strike: Strike) -> None:
    """The store dies in the middle of what it does, and comes back."""
    await _hurt(world, strike, world.store.kill)


@fault("store-hang", KIND)
async def hang(world: World, strike: Strike) -> None:
    """No write is answered."""
    await _hurt(world, strike, world.store.hang)


@fault("store-refuse", KIND)
async def refuse(world: World, strike: Strike) -> None:
    """Writes fail for a while."""
    await _hurt(world, strike, world.store.refuse)


@fault("store-failover", COPIES)
async def fail_over(world: World, strike: Strike) -> None:
    """The node with the documents dies, and another takes over with the copies that it has."""
    await _hurt(world, strike, world.store.fail_over)


@fault("store-degrade", COPIES)
async def degrade(world: World, strike: Strike) -> None:
    """The nodes with the copies die, and are given up: no write can be made durable."""
    await _hurt(world, strike, world.store.degrade)
