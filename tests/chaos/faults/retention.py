"""Kafka deletes what no worker has read yet."""

import asyncio
import random
from collections.abc import Mapping

from aiokafka import TopicPartition

from tests.chaos import admin, clients
from tests.chaos.archive import Taken
from tests.chaos.facts import TOPICS
from tests.chaos.faults import fault
from tests.chaos.lag import committed
from tests.chaos.schedule import Kind, Strike
from tests.chaos.sender import TOPIC
from tests.chaos.world import World

#: Chances that the workers are killed instead of stopped, and that what comes of orders is
#: deleted, too.
KILLED, MORE = 0.3, 0.4


# Felt until the sessions of killed workers have expired, and new ones have joined.
@fault("retention", Kind(seconds=(1, 3), settle=12, away=True))
async def retention(world: World, strike: Strike) -> None:
    """While no worker runs, orders arrive, and some partitions lose the first, or all, of what
    waits in them."""
    rng = random.Random(strike.pick)
    async with world.topic_turn:
        await _begun(world)
        await _strike(world, strike, rng)


async def _begun(world: World) -> None:
    """Until the group has committed something: in a topic that was just made anew there is
    nothing that it could miss."""
    while not any(tp.topic == TOPIC for tp in await _committed(world)):  # noqa: ASYNC110
        await asyncio.sleep(0.3)


async def _committed(world: World) -> Mapping[TopicPartition, int]:
    return await admin.until_there(lambda: committed(world.broker.server))


async def _strike(world: World, strike: Strike, rng: random.Random) -> None:
    async with world.crew.everyone() as slots:
        with world.diary.event("retention", f"after {strike.seconds} s without workers"):
            if rng.random() < KILLED:
                for slot in slots:
                    slot.kill()
            else:
                await asyncio.gather(*(slot.stop(world.diary) for slot in slots))
            await asyncio.sleep(strike.seconds)
            for topic in TOPICS:
                if topic == TOPIC or rng.random() < MORE:
                    await _delete(world, topic, rng)


async def _delete(world: World, topic: str, rng: random.Random) -> None:
    server = world.broker.server
    done = await _committed(world)
    ends = await admin.until_there(lambda: clients.ends(server, topic))
    # First what is to be known of it.
    await admin.until_there(lambda: world.archive.keep(topic))
    before = _chosen(topic, done, ends, rng)
    if not before:
        return
    epoch = world.archive.epoch(topic)
    taken = [
        Taken(topic, epoch, part, done[TopicPartition(topic, part)], end)
        for part, end in before.items()
    ]
    world.archive.taken += taken
    world.diary.say(
        f"retention: {sum(t.end - t.begin for t in taken)} of {topic} deleted unread"
    )
    await admin.delete_records(server, topic, before)


def _chosen(
    topic: str,
    done: Mapping[TopicPartition, int],
    ends: Mapping[int, int],
    rng: random.Random,
) -> dict[int, int]:
    """Up to where each partition is deleted: nothing, a part, or all of what waits in it. Where
    the group never committed anything nobody can tell that something is missing."""
    before = {}
    for part, end in sorted(ends.items()):
        begin = done.get(TopicPartition(topic, part), end)  # a new partition: nothing
        share = rng.choice((0.0, rng.random(), 1.0))
        if (at := round((end - begin) * share)) > 0:
            before[part] = begin + at
    return before
