"""The broker dies, and the disk is full."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.faults import fault
from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World

#: Seconds until the broker is missed for good.
BACK_SECONDS = 60.0
FILLER = "filler"


@fault("broker", Kind(seconds=(0, 0), settle=14, away=True))
async def broker(world: World, strike: Strike) -> None:
    """SIGKILL of Kafka's Java; the launcher starts it again."""
    await _kill(world, "broker")


@fault("launcher", Kind(seconds=(0, 0), settle=20, away=True))
async def launcher(world: World, strike: Strike) -> None:
    """SIGKILL of the launcher, with which Kafka dies; a worker brings both back."""
    await _kill(world, "launcher")


async def _kill(world: World, which: str) -> None:
    with world.diary.event(which, "killed"):
        if not world.broker.kill(which):
            world.diary.say(f"{which}: there was none to kill")
        await asyncio.sleep(0.3)
        await _back(world)


async def _back(world: World) -> None:
    began = time.monotonic()
    while not await asyncio.to_thread(world.broker.answers):
        if time.monotonic() - began > BACK_SECONDS:
            world.diary.problem(f"Kafka was not back after {BACK_SECONDS:g} s")
            return
        await asyncio.sleep(0.1)
    world.diary.say(f"Kafka works, after {time.monotonic() - began:.1f} s")


@fault("disk", Kind(seconds=(2, 8), settle=25, away=True))
async def disk(world: World, strike: Strike) -> None:
    """Not a byte is left for the data directory: Kafka's log and SQLite's."""
    filler = world.data_dir / FILLER
    with world.diary.event("disk", f"full for {strike.seconds} s"):
        try:
            await asyncio.to_thread(_fill, filler)
            await asyncio.sleep(strike.seconds)
        finally:
            filler.unlink(missing_ok=True)
        await _back(world)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        free = os.statvfs(filler).f_bavail * os.statvfs(filler).f_frsize
        with suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, free)
        file.seek(0, os.SEEK_END)
        while True:  # others write meanwhile
            file.write(bytes(4096))
