"""Rules that are changed while orders are judged."""

import random

from tests.chaos.faults import fault
from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World


@fault("rules", Kind(seconds=(0, 0), burst=True))
async def rules(world: World, strike: Strike) -> None:
    """Another limit, another window, or the shadow."""
    with world.diary.event("rules", "a rule is changed"):
        world.diary.say(await world.changes.any(random.Random(strike.pick)))
