"""What is in Kafka and in the store after a run, read without the app."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from tests.chaos.sender import POISON_HEADER, Sent
from tests.chaos.stores import Documents
from tests.e2e import records

TOPICS = ("orders", "fraud-alerts", "payments")
READ_SECONDS = 120.0

Place = tuple[int, int]


@dataclass
class Facts:
    """All there is to judge a run by."""

    sent: Sent
    #: Places of each order's records in the topic, by order id.
    orders: dict[int, list[Place]] = field(default_factory=dict)
    #: Places and values of the bad records in the topic.
    poison: dict[Place, bytes | None] = field(default_factory=dict)
    #: Values by order id, with the place of each as documents have it.
    alerts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    payments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    #: Services and value of what was given up, by its place in `orders`.
    dead: dict[Place, list[tuple[str, bytes | None]]] = field(default_factory=dict)
    documents: Documents = field(default_factory=dict)


async def gather(server: str, sent: Sent, documents: Documents) -> Facts:
    """Read all topics."""
    facts = Facts(sent, documents=documents)
    _orders(facts, await _read(server, "orders"))
    facts.alerts = _by_order(await _read(server, "fraud-alerts"))
    facts.payments = _by_order(await _read(server, "payments"))
    facts.dead = _dead(await _read(server, "orders-dlq"))
    return facts


async def _read(server: str, topic: str) -> list[ConsumerRecord]:
    reading = asyncio.to_thread(records.read, server, topic)
    return await asyncio.wait_for(reading, READ_SECONDS)


def _orders(facts: Facts, found: Iterable[ConsumerRecord]) -> None:
    facts.orders = defaultdict(list)
    for record in found:
        place = record.partition, record.offset
        if POISON_HEADER in record.headers:
            facts.poison[place] = record.value
        else:
            facts.orders[json.loads(record.value)["order_id"]].append(place)


def _by_order(found: Iterable[ConsumerRecord]) -> dict[int, list[dict[str, Any]]]:
    values = defaultdict(list)
    for record in found:
        place = {"kafka_partition": record.partition, "kafka_offset": record.offset}
        value = json.loads(record.value) | place
        values[value["order_id"]].append(value)
    return values


def _dead(found: Iterable[ConsumerRecord]) -> dict[Place, list[tuple[str, bytes | None]]]:
    dead = defaultdict(list)
    for record in found:
        headers = dict(record.headers)
        if headers["original-topic"] == b"orders":
            place = int(headers["original-partition"]), int(headers["original-offset"])
            dead[place].append((headers["service"].decode(), record.value))
    return dead


async def lag(server: str, groups: Sequence[str]) -> dict[str, int]:
    """Records that are not committed, by group and topic; empty when all is done."""
    left = {}
    for group in groups:
        for topic in TOPICS:
            ends = await asyncio.to_thread(records.ends, server, topic)
            done = await asyncio.to_thread(records.committed, server, group, topic)
            behind = sum(end - max(0, done.get(part, 0)) for part, end in ends.items())
            if behind:
                left[f"{group} {topic}"] = behind
    return left
