"""Records that are no orders, and orders that come again."""

import random

from tests.chaos.faults import fault
from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World


def _size(strike: Strike, least: int, most: int) -> int:
    return least + round(strike.size * (most - least))


@fault("poison", Kind(seconds=(0, 0), burst=True))
async def poison(world: World, strike: Strike) -> None:
    """Garbage, wrong types, too long numbers, no value, no key."""
    count = _size(strike, 10, 150)
    with world.diary.event("poison", f"{count} records"):
        await world.sender.send_poison(count, random.Random(strike.pick))


@fault("duplicates", Kind(seconds=(0, 0), burst=True))
async def duplicates(world: World, strike: Strike) -> None:
    """Recent orders, sent again."""
    count = _size(strike, 10, 150)
    with world.diary.event("duplicates", f"{count} orders"):
        await world.sender.send_again(count, random.Random(strike.pick))
