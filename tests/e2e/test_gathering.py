"""How a worker's consumer asks a real Kafka for records, while they come and after a pause."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.fetch import FetchRequest

from orderapp.engine.kafka.gathering import ENOUGH, Gathering
from tests.e2e import records

TOPIC = "gathered"


async def test_only_the_fetch_after_one_that_brought_records_is_held(kafka):
    server = kafka.bootstrap_servers
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    await admin.close()
    await asyncio.to_thread(records.send, server, [records.order(1)], TOPIC)
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=server, auto_offset_reset="earliest", fetch_max_wait_ms=300
    )
    asked = []

    def spy(send):
        async def sends(node, request, **options):
            if isinstance(request, FetchRequest):
                asked.append((request._min_bytes, request._max_wait_ms))
            return await send(node, request, **options)

        return sends

    consumer._client.send = spy(consumer._client.send)
    await consumer.start()
    try:
        gathering = Gathering(consumer)
        async with asyncio.timeout(60):
            while not (got := await consumer.getmany(timeout_ms=1_000)):
                pass
        gathering.came(len(got))
        assert await consumer.getmany(timeout_ms=700) == {}
    finally:
        await consumer.stop()
    first = asked.index((ENOUGH, 1))
    assert set(asked[:first]) == {(1, 300)}
    # The timer of a busy machine may come after the answer; then that one is held again.
    after = [each for each in asked[first:] if each != (ENOUGH, 1)]
    assert after
    assert set(after) == {(1, 300)}
