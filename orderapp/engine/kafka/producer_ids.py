"""Numbers that Kafka gives to nobody else: the ids of idempotent producers.

Every call of InitProducerId is answered with a new one, also after restarts of all brokers. It
needs no right but WRITE on some topic, which who sends has anyway (before Kafka 3.0:
IdempotentWrite on the cluster).
"""

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    BrokerNotAvailableError,
    ClusterAuthorizationFailedError,
    GroupLoadInProgressError,
    KafkaError,
    for_code,
)
from aiokafka.protocol.transaction import InitProducerIdRequest

#: Seconds for one broker.
PATIENCE = 1.5


async def new_producer_id(client: AIOKafkaClient) -> int:
    """A number of up to 63 bits that was never given out in this cluster; raises `KafkaError`.

    Brokers hand them out of blocks of 1,000. All ask the same broker as long as it is there,
    so that the numbers rise."""
    error: Exception = BrokerNotAvailableError("no broker is known")
    for node in sorted(broker.nodeId for broker in client.cluster.brokers()):
        try:
            async with asyncio.timeout(PATIENCE):
                return await _ask(client, node)
        except ClusterAuthorizationFailedError:
            raise
        except (KafkaError, OSError, TimeoutError) as failed:
            error = failed
    if isinstance(error, KafkaError):
        raise error
    raise KafkaError(f"no broker answers: {error!r}") from error


async def _ask(client: AIOKafkaClient, node: int) -> int:
    while True:
        answer = await client.send(node, InitProducerIdRequest(None, 0))
        # A broker that has just started, or has used up a block, waits for the next one.
        if answer.error_code != GroupLoadInProgressError.errno:
            break
        await asyncio.sleep(0.02)
    if answer.error_code:
        raise for_code(answer.error_code)("InitProducerId")
    return int(answer.producer_id)
