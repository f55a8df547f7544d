"""The brokers that tests use one after the other are empty, or used by nobody again."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.e2e import records, topic_settings
from tests.e2e.pool import Pool

TOPIC, GROUP = "orders", "orderapp"


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """One whose first broker nobody has used."""
    pool = Pool(lambda: tmp_path_factory.mktemp("broker"))
    yield pool
    pool.end()


def member(server):
    return AIOKafkaConsumer(
        TOPIC, bootstrap_servers=server, group_id=GROUP, auto_offset_reset="earliest"
    )


async def use(server):
    """Send a record, read the first one, and commit that it is done: what was committed before,
    and the offset of each record."""
    async with AIOKafkaProducer(bootstrap_servers=server) as producer:
        sent = await producer.send_and_wait(TOPIC, b"some")
    async with member(server) as consumer:
        before = await consumer.committed(TopicPartition(TOPIC, 0))
        got = await consumer.getone()
        await consumer.commit()
    return before, sent.offset, got.offset


def test_what_one_test_has_left_no_other_one_finds(pool):
    servers = set()
    for _ in range(5):
        with pool.lend() as broker:
            server = broker().bootstrap_servers
            topic_settings.create(server, TOPIC, partitions=1)
            assert asyncio.run(use(server)) == (None, 0, 0)
            assert records.committed(server, GROUP, TOPIC) == {0: 1}
            servers.add(server)

    assert len(servers) == 1


async def left_by_a_member(server):
    """It is there until its session ends."""
    consumer = member(server)
    await consumer.start()
    consumer._coordinator._maybe_leave_group = lambda: asyncio.sleep(0)
    await consumer.stop()


async def left_by_a_transaction(server):
    async with (
        AIOKafkaProducer(bootstrap_servers=server, transactional_id="shop") as producer,
        producer.transaction(),
    ):
        await producer.send_and_wait(TOPIC, b"some")


@pytest.mark.parametrize("left", [left_by_a_member, left_by_a_transaction])
def test_a_broker_that_can_not_be_emptied_is_not_used_again(pool, left):
    with pool.lend() as broker:
        used = broker().bootstrap_servers
        topic_settings.create(used, TOPIC, partitions=1)
        asyncio.run(left(used))

    with pool.lend() as broker:
        assert broker().bootstrap_servers != used
