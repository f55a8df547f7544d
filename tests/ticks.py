"""Time as an event loop has it: a pause of the machine, however long, is one tick."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def ticking(work: Awaitable[T]) -> tuple[T, int]:
    """What it gives, and how many ticks of 0.01 s or more the loop had meanwhile."""
    ticks, task = 0, asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    return await task, ticks
