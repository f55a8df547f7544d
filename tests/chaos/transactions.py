"""Orders that count only when their transaction is committed."""

import asyncio
import time
from collections.abc import Sequence
from enum import StrEnum

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.orders import Order, encoded
from tests.chaos.sent import Sent

TOPIC = "orders"
#: Seconds for all of a transaction but its time of being open.
PATIENCE = 30.0
#: Seconds until the broker ends one whose producer has vanished.
FORGOTTEN = 2.0


class Ending(StrEnum):
    """What becomes of a transaction."""

    COMMIT = "committed"
    ABORT = "aborted"
    #: Its producer says nothing any more; Kafka aborts it when its time is over.
    VANISH = "forgotten"


async def send(
    server: str,
    sent: Sent,
    name: str,
    orders: Sequence[Order],
    ending: Ending,
    seconds: float,
) -> None:
    """Send these orders in a transaction, wait, and end it.

    Where Kafka did not confirm its end, whether it was committed is seen in the topic."""
    ids = {order["order_id"]: order for order in orders}
    sent.orders |= ids
    sent.transactional |= ids.keys()
    limit = FORGOTTEN if ending is Ending.VANISH else PATIENCE
    producer = AIOKafkaProducer(
        bootstrap_servers=server,
        transactional_id=name,
        transaction_timeout_ms=int((seconds + limit) * 1000),
    )
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            await producer.start()
            await _send(producer, sent, orders, ending, seconds)
    except (KafkaError, OSError, TimeoutError):
        sent.failed += len(orders)
    finally:
        await _vanish(producer)


async def _send(
    producer: AIOKafkaProducer,
    sent: Sent,
    orders: Sequence[Order],
    ending: Ending,
    seconds: float,
) -> None:
    await producer.begin_transaction()
    futures = []
    for order in orders:
        key, value = encoded(order)
        futures.append(await producer.send(TOPIC, value, key=key))
    records = await asyncio.gather(*futures)
    await asyncio.sleep(seconds)
    if ending is Ending.ABORT:
        await producer.abort_transaction()
        sent.aborted |= {order["order_id"] for order in orders}
    elif ending is Ending.COMMIT:
        moment = time.time()
        await producer.commit_transaction()
        for order, record in zip(orders, records, strict=True):
            sent.sent_at[order["order_id"]] = moment
            sent.confirm(order["order_id"], record.partition)


async def _vanish(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(5):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        pass
