"""How a worker's consumer asks a real Kafka for records, while they come and after a pause."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.fetch import FetchRequest

from orderapp.engine.kafka import gathering
from tests.e2e import records

TOPIC = "gathered"
#: Milliseconds, in place of a few.
HELD = 250
#: The least bytes, and the longest wait in ms.
HOLDING, USUAL = (gathering.ENOUGH, HELD), (1, 100)


def create(server):
    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=server)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
        finally:
            await admin.close()

    asyncio.run(run())


def spy_on(consumer):
    """How the consumer asks for records, from now on."""
    asked, send = [], consumer._client.send

    async def sends(node, request, **options):
        if isinstance(request, FetchRequest):
            asked.append((request._min_bytes, request._max_wait_ms))
        return await send(node, request, **options)

    consumer._client.send = sends
    return asked


async def test_only_the_fetch_after_one_that_brought_records_is_held(kafka, monkeypatch):
    monkeypatch.setattr(gathering, "EACH", HELD)
    monkeypatch.setattr(gathering, "MOST", HELD)
    server = kafka.bootstrap_servers
    await asyncio.to_thread(create, server)
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=server, auto_offset_reset="earliest", fetch_max_wait_ms=100
    )
    asked = spy_on(consumer)
    await consumer.start()
    try:
        gathers = gathering.Gathering(consumer)
        # Again, where the machine has stood still for so long that nothing was held.
        while HOLDING not in asked or asked[-1] != USUAL:
            del asked[:]
            await asyncio.to_thread(records.send, server, [records.order(1)], TOPIC)
            async with asyncio.timeout(60):
                while not (got := await consumer.getmany(timeout_ms=1_000)):
                    pass
            gathers.came(len(got))
            assert await consumer.getmany(timeout_ms=3 * HELD) == {}
    finally:
        await consumer.stop()
    assert set(asked) == {HOLDING, USUAL}
