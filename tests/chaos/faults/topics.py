"""Topics that are made anew, grow, take no large messages, or may not be read or written."""

import asyncio

from tests.chaos import admin
from tests.chaos.admin import Operation
from tests.chaos.faults import fault
from tests.chaos.lag import lag
from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World

#: Partitions that a topic grows to at the most.
MOST = 9
#: Bytes of a batch: a few payments, and less than one.
SMALL, TOO_SMALL = 1000, 100


def _one_of(names: tuple[str, ...], pick: float) -> str:
    return names[int(pick * len(names))]


# Felt until every client has looked for the topics again.
@fault("recreate", Kind(seconds=(0, 5), settle=14, away=True))
async def recreate(world: World, strike: Strike) -> None:
    """A topic of which all is done is deleted, and made anew."""
    topic = _one_of(("orders", "payments", "fraud-alerts"), strike.pick)
    server = world.broker.server
    async with world.topic_turn, world.sender.paused():
        await _done(world)
        with world.diary.event("recreate", f"{topic}, missing for {strike.seconds} s"):
            await admin.until_there(lambda: world.archive.keep(topic))
            partitions = await admin.partitions(server, topic)
            settings = await admin.settings(server, topic)
            await admin.delete_topic(server, topic)
            try:
                await asyncio.sleep(strike.seconds)
            finally:
                await admin.create_topic(server, topic, partitions, settings)
            world.begin_epoch(topic)


async def _done(world: World) -> None:
    """Until the workers have done all there is, so that nothing is deleted unread."""
    while True:
        try:
            async with asyncio.timeout(20):
                if not await lag(world.broker.server):
                    return
        except admin.AWAY:
            pass
        await asyncio.sleep(0.3)


@fault("grow", Kind(seconds=(0, 0), settle=8, away=True))
async def grow(world: World, strike: Strike) -> None:
    """A topic gets one or two more partitions; keys move."""
    topic = _one_of(("orders", "payments", "fraud-alerts", "orders-dlq"), strike.pick)
    async with world.topic_turn:
        partitions = await admin.partitions(world.broker.server, topic)
        wanted = min(MOST, partitions + 1 + round(strike.size))
        if wanted == partitions:
            world.diary.say(f"grow: left out, {topic} has {partitions} partitions")
            return
        with world.diary.event("grow", f"{topic} from {partitions} to {wanted} partitions"):
            await admin.grow(world.broker.server, topic, wanted)


# The longest wait between two tries of a send is 10 s.
@fault("toolarge", Kind(seconds=(4, 10), settle=10, away=True))
async def toolarge(world: World, strike: Strike) -> None:
    """A topic takes small batches only, and then not even one message."""
    topic = _one_of(("payments", "fraud-alerts", "orders-dlq"), strike.pick)
    server = world.broker.server
    async with world.topic_turn:
        settings = await admin.settings(server, topic)
        with world.diary.event("toolarge", f"{topic} for {strike.seconds} s"):
            try:
                for size in (SMALL, TOO_SMALL):
                    limit = {"max.message.bytes": str(size)}
                    await admin.give_settings(server, topic, settings | limit)
                    await asyncio.sleep(strike.seconds / 2)
            finally:
                await admin.give_settings(server, topic, settings)


RIGHTS = (
    ("orders", Operation.READ),
    ("payments", Operation.READ),
    ("fraud-alerts", Operation.READ),
    ("payments", Operation.WRITE),
    ("fraud-alerts", Operation.WRITE),
    ("orders-dlq", Operation.WRITE),
)


@fault("rights", Kind(seconds=(3, 9), settle=10, away=True))
async def rights(world: World, strike: Strike) -> None:
    """One right on one topic is taken away for a while."""
    topic, operation = RIGHTS[int(strike.pick * len(RIGHTS))]
    server = world.broker.server
    what = f"nobody may {operation.name.lower()} {topic} for {strike.seconds} s"
    async with world.topic_turn:
        with world.diary.event("rights", what):
            try:
                await admin.deny(server, topic, operation)
                await asyncio.sleep(strike.seconds)
            finally:
                await admin.allow(server, topic, operation)
