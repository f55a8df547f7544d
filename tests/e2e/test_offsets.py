"""What Kafka is asked of offsets, on a real one."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.offsets import Clients
from orderapp.engine.kafka.topic_settings import TopicSpec
from tests.e2e import records

PARTITIONS = 4
TPS = [TopicPartition("topic", n) for n in range(PARTITIONS)]


@pytest.fixture
async def clients(kafka):
    cluster = Cluster((kafka.bootstrap_servers,))
    asking = Clients(cluster, 30.0)
    await asking.start()
    yield asking, cluster
    await asking.close()


async def send(kafka, *stamps, **options):
    """A record with each of these timestamps (ms) to every partition."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, **options
    ) as producer:
        if options:
            await producer.begin_transaction()
        for tp in TPS:
            for stamp in stamps:
                await producer.send_and_wait(
                    tp.topic, b"x" * 20_000, partition=tp.partition, timestamp_ms=stamp
                )
        if options:
            await producer.commit_transaction()


async def timestamps(asking, places, ends):
    """All of them: what a busy machine can't read in time is left out, until it is asked for
    again."""
    for _ in range(50):
        found = await asking.timestamps(places, ends)
        if len(found) == len(places):
            break
    return found


async def test_places_are_as_old_as_the_next_record_and_ends_of_transactions_are_none(
    kafka, clients
):
    asking, cluster = clients
    await cluster.prepare([TopicSpec("topic", PARTITIONS)])
    await send(kafka, 1000, 2000, 3000)
    await send(kafka, 4000, transactional_id="one")
    await asyncio.to_thread(records.wait_for_ends, kafka.bootstrap_servers, "topic", 5)
    bounds = await asking.bounds(["topic"])
    ends = bounds.ends
    assert (bounds.begins, ends) == (dict.fromkeys(TPS, 0), dict.fromkeys(TPS, 5))

    wanted = {0: 1000, 2: 3000, 3: 4000, 4: None}
    found = await timestamps(asking, {(tp, at) for tp in TPS for at in wanted}, ends)
    assert found == {(tp, at): stamp for tp in TPS for at, stamp in wanted.items()}
    assert asking._consumer.paused() == set(TPS), "nothing more is fetched"

    # What is known is not read again, and what comes later is found.
    await send(kafka, 6000)
    ends = (await asking.bounds(["topic"])).ends
    places = {(TPS[0], 4), (TPS[1], 3)}
    assert await timestamps(asking, places, ends) == {(TPS[0], 4): 6000, (TPS[1], 3): 4000}
    assert asking._consumer.assignment() == {TPS[0]}


async def test_topics_that_are_just_being_made_are_asked_for_again(clients):
    asking, cluster = clients
    await cluster.prepare([TopicSpec("made-first", 1)])
    assert set((await asking.bounds(["made-first", "made-next"])).ends) == {
        TopicPartition("made-first", 0)
    }
    await cluster.prepare([TopicSpec("made-next", 1)])

    # The broker itself may know of it a moment later than the controller that made it.
    for _ in range(300):
        if len((await asking.bounds(["made-first", "made-next"])).ends) == 2:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the second topic is not asked for")
