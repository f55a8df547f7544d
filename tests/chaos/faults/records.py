"""Records that are no orders, orders that come again, and orders in transactions."""

import random

from tests.chaos.faults import fault
from tests.chaos.schedule import Kind, Strike
from tests.chaos.transactions import Ending
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


# While it is open nothing behind it can be read: not for long, or takeovers would be held up.
@fault("transaction", Kind(seconds=(0, 2), burst=True))
async def transaction(world: World, strike: Strike) -> None:
    """Orders in a transaction that is committed, aborted or forgotten, at once or later."""
    rng = random.Random(strike.pick)
    count, ending = _size(strike, 5, 60), rng.choice(list(Ending))
    what = f"{count} orders, {ending} after {strike.seconds} s"
    with world.diary.event("transaction", what):
        await world.sender.send_transaction(count, rng, ending, strike.seconds)
