"""Workers that die, stop, freeze, come and go."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.chaos.crew import Slot
from tests.chaos.faults import fault
from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World

#: Seconds until a guest that never becomes ready leaves anyhow.
VISIT_SECONDS = 20.0


@asynccontextmanager
async def _one(world: World, strike: Strike) -> AsyncIterator[Slot | None]:
    """A worker that only this fault has to do with; None when there is none left."""
    slot = world.crew.pick(strike.pick)
    if slot is None:
        world.diary.say(f"{strike.kind}: left out, no worker is free for it")
        yield None
        return
    slot.busy = True
    try:
        yield slot
    finally:
        if not slot.runs:
            slot.start()
        slot.busy = False


# Felt until the session of the killed one has expired.
@fault("kill", Kind(seconds=(1, 6), settle=12, weight=3))
async def kill(world: World, strike: Strike) -> None:
    """SIGKILL; after a while a new one is started."""
    async with _one(world, strike) as slot:
        if slot:
            with world.diary.event("kill", f"{slot}, started again after {strike.seconds} s"):
                slot.kill()
                await asyncio.sleep(strike.seconds)


@fault("blackout", Kind(seconds=(1, 3), settle=20, away=True))
async def blackout(world: World, strike: Strike) -> None:
    """SIGKILL of all workers and of Kafka at once; all of them come back."""
    with world.diary.event("blackout", f"all for {strike.seconds} s"):
        slots = [slot for slot in world.crew.slots if slot.runs and not slot.busy]
        for slot in slots:
            slot.busy = True
        try:
            world.broker.kill("broker")
            for slot in slots:
                slot.kill()
            await asyncio.sleep(strike.seconds)
        finally:
            for slot in slots:
                slot.start()
                slot.busy = False


@fault("term", Kind(seconds=(1, 6), settle=4, weight=2))
async def term(world: World, strike: Strike) -> None:
    """SIGTERM; after a while a new one is started."""
    async with _one(world, strike) as slot:
        if slot:
            with world.diary.event("term", f"{slot}, started again after {strike.seconds} s"):
                await slot.stop(world.diary)
                await asyncio.sleep(strike.seconds)


async def _freeze(world: World, strike: Strike) -> None:
    async with _one(world, strike) as slot:
        if slot:
            with world.diary.event(strike.kind, f"{slot} for {strike.seconds} s"):
                slot.process.send_signal(signal.SIGSTOP)
                try:
                    await asyncio.sleep(strike.seconds)
                finally:
                    slot.process.send_signal(signal.SIGCONT)


# Longer than the session timeout of 6 s: it comes back and is no longer a member.
@fault("stop", Kind(seconds=(11, 18), settle=5))
async def stop(world: World, strike: Strike) -> None:
    """SIGSTOP until others have its partitions, then SIGCONT."""
    await _freeze(world, strike)


@fault("pause", Kind(seconds=(1, 4), settle=2))
async def pause(world: World, strike: Strike) -> None:
    """SIGSTOP and SIGCONT within the session timeout."""
    await _freeze(world, strike)


@fault("storm", Kind(seconds=(10, 18), settle=10))
async def storm(world: World, strike: Strike) -> None:
    """Workers join and leave every few seconds."""
    times = 2 + round(strike.size * 2)
    what = f"{times} workers come and go in {strike.seconds} s"
    async with world.crew.turn:
        with world.diary.event("storm", what):
            guests = []
            for _ in range(times):
                guest = world.crew.extra(world.settings)
                guests.append(asyncio.create_task(_visit(world, guest)))
                await asyncio.sleep(strike.seconds / times)
            await asyncio.gather(*guests)


async def _visit(world: World, guest: Slot) -> None:
    """Leave soon after it has become a member."""
    try:
        await world.crew.comes_up(guest, VISIT_SECONDS)
        await asyncio.sleep(1)
    finally:
        await guest.stop(world.diary)
