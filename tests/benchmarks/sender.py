"""Sends orders at a fixed rate, in a process of its own.

    python -m tests.benchmarks.sender BROKER RATE SECONDS

Orders are sent every 5 ms: at 200/s one by one, at 10,000/s 50 at a time, each with the time
at which it is sent. Prints how many it sent when it began, and how late it was at
most, as JSON.
"""

import asyncio
import gc
import json
import random
import sys
import time

from aiokafka import AIOKafkaProducer

from orderapp.models import now
from tests.benchmarks.kafka import BATCH_BYTES
from tests.benchmarks.orders import SEED, WARM_UP, Message, make_message

TICK = 0.005


async def send(broker: str, rate: float, seconds: float) -> None:
    # Made before the first is sent: making them is most of the work.
    rng = random.Random(SEED)
    created_at = now()
    ids = range(WARM_UP + 1, WARM_UP + int(rate * seconds) + 1)
    messages = [make_message(order_id, rng, created_at) for order_id in ids]
    gc.freeze()  # or Python would look through all of them again and again
    producer = AIOKafkaProducer(
        bootstrap_servers=broker, acks="all", max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        began = time.time()
        late = await _send_all(producer, messages, rate)
        await producer.flush()
    finally:
        await producer.stop()
    risky = sum(message.is_risky for message in messages)
    facts = {"began_ms": began * 1000, "late_ms": late * 1000}
    print(json.dumps({"sent": len(messages), "risky": risky, **facts}))


async def _send_all(producer: AIOKafkaProducer, messages: list[Message], rate: float) -> float:
    started = time.monotonic()
    sent, late = 0, 0.0
    while sent < len(messages):
        due = started + sent / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
        late = max(late, time.monotonic() - due)
        # All that is due now, so that the rate is kept after a pause too.
        until = max(sent + 1, int((time.monotonic() - started + TICK) * rate))
        await _send(producer, messages[sent:until])
        sent = min(until, len(messages))
    return late


async def _send(producer: AIOKafkaProducer, messages: list[Message]) -> None:
    batches = {}
    timestamp = int(time.time() * 1000)
    for message in messages:
        if message.partition not in batches:
            batches[message.partition] = producer.create_batch()
        batch = batches[message.partition]
        if batch.append(key=message.key, value=message.value, timestamp=timestamp) is None:
            raise RuntimeError("too many orders for one tick: the sender has been paused")
    for partition, batch in batches.items():
        await producer.send_batch(batch, "orders", partition=partition)


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
