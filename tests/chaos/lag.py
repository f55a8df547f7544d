"""What waits for the workers: records that can be read, or will be, and are not committed."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.chaos import clients
from tests.chaos.facts import BY_CUSTOMER, TOPICS

GROUP = "orderapp"
#: Polls in which Kafka may send nothing of a partition before its end.
POLLS = 3

Offsets = dict[TopicPartition, int]


async def committed(server: str) -> Offsets:
    """The group's offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    try:
        await admin.start()
        offsets = await admin.list_consumer_group_offsets(GROUP)
    finally:
        await admin.close()
    return {tp: at.offset for tp, at in offsets.items() if at.offset >= 0}


async def lag(server: str) -> dict[str, int]:
    """Offsets by topic; empty when all is done."""
    done = await committed(server)
    begins, ends = Offsets(), Offsets()
    left: dict[str, int] = {}
    # Such a one is told of the end of what is not committed, too.
    async with clients.consumer(server, isolation_level="read_uncommitted") as client:
        for topic in (*TOPICS, BY_CUSTOMER):
            parts = await clients.partitions(client, topic)
            begins |= await client.beginning_offsets(parts)
            ends |= await client.end_offsets(parts)
            if not parts:
                left[topic] = 1
    async with clients.consumer(server) as client:
        for tp, end in ends.items():
            at = max(done.get(tp, 0), begins[tp])
            if at < end and not await _is_empty(client, tp, at, end):
                left[tp.topic] = left.get(tp.topic, 0) + end - at
    return left


async def _is_empty(client: AIOKafkaConsumer, tp: TopicPartition, at: int, end: int) -> bool:
    """Whether there is nothing but ends of transactions, and what they aborted."""
    client.assign([tp])
    client.seek(tp, at)
    for _ in range(POLLS):
        if (await client.getmany(tp, timeout_ms=200)).get(tp):
            return False
        if await client.position(tp) >= end:
            return True
    return False
