"""What is in Kafka and in the store after a run, read without the app."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from tests.chaos.archive import Archive, Place, Taken
from tests.chaos.rulebook import Done, Rulebook
from tests.chaos.sender import POISON_HEADER
from tests.chaos.sent import Sent
from tests.chaos.stores import Documents

TOPICS = ("orders", "fraud-alerts", "payments")
BY_CUSTOMER, CONTROL = "orders-by-customer", "orderapp-control"
DEAD_LETTERS = "orders-dlq"

Records = Mapping[Place, ConsumerRecord]


@dataclass
class Facts:
    """All there is to judge a run by."""

    sent: Sent
    #: Places of each order's records in the topic, by order id.
    orders: dict[int, list[Place]] = field(default_factory=dict)
    #: Their timestamps, in ms.
    times: dict[Place, int] = field(default_factory=dict)
    #: Places and values of the bad records in the topic.
    poison: dict[Place, bytes | None] = field(default_factory=dict)
    #: Values by order id, with the place of each as documents have it.
    alerts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    payments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    #: Services and value of what was given up, by its place in `orders`.
    dead: dict[Place, list[tuple[str, bytes | None]]] = field(default_factory=dict)
    documents: Documents = field(default_factory=dict)
    #: What retention deleted before it was committed.
    taken: list[Taken] = field(default_factory=list)
    #: By topic, the ids whose records were deleted, read or not.
    gone: dict[str, set[int]] = field(default_factory=dict)
    rulebook: Rulebook = field(default_factory=Rulebook)
    #: What was seen, for the report: by rule orders with an alert, and those that had to have
    #: one; and how often an order has alerts of two versions.
    alerts_of: Counter[str] = field(default_factory=Counter)
    sure_alerts: Counter[str] = field(default_factory=Counter)
    two_versions: int = 0

    def was_taken(self, topic: str, place: Place) -> bool:
        """Whether retention deleted the record before it was committed."""
        return any(taken.topic == topic and place in taken for taken in self.taken)

    def all_taken(self, topic: str, order_id: int) -> bool:
        """Whether no service can have been asked to look at an order."""
        return all(self.was_taken(topic, place) for place in self.orders[order_id])


def place_of(value: dict[str, Any]) -> Place:
    """Where an alert or payment is in its topic."""
    return Place(value["epoch"], value["kafka_partition"], value["kafka_offset"])


async def gather(
    archive: Archive,
    sent: Sent,
    documents: Documents,
    done: Mapping[tuple[str, int], Done],
    slack: float,
) -> Facts:
    """Read all topics; `done` and `slack` (seconds) are those of the rulebook."""
    facts = Facts(sent, documents=documents, taken=archive.taken)
    for topic in TOPICS:
        left = await archive.keep(topic)
        gone = {
            place: record for place, record in archive.of(topic).items() if place not in left
        }
        facts.gone[topic] = _ids(gone)
    await archive.keep(DEAD_LETTERS)
    _orders(facts, archive.of("orders"))
    facts.alerts = _by_order(archive.of("fraud-alerts"))
    facts.payments = _by_order(archive.of("payments"))
    facts.dead = _dead(archive)
    for topic in (CONTROL, BY_CUSTOMER):
        await archive.keep(topic)
    facts.rulebook.slack = round(1000 * slack)
    facts.rulebook.read(archive.of(CONTROL).values(), done)
    facts.rulebook.watch(archive.of(BY_CUSTOMER))
    return facts


def _ids(found: Records) -> set[int]:
    return {
        json.loads(record.value)["order_id"]
        for record in found.values()
        if POISON_HEADER not in record.headers
    }


def _orders(facts: Facts, found: Records) -> None:
    facts.orders = defaultdict(list)
    for place, record in found.items():
        if POISON_HEADER in record.headers:
            facts.poison[place] = record.value
        else:
            facts.orders[json.loads(record.value)["order_id"]].append(place)
            facts.times[place] = record.timestamp


def _by_order(found: Records) -> dict[int, list[dict[str, Any]]]:
    values = defaultdict(list)
    for place, record in found.items():
        where = {"kafka_partition": place.partition, "kafka_offset": place.offset}
        value = json.loads(record.value) | where | {"epoch": place.epoch}
        values[value["order_id"]].append(value)
    return values


def _dead(archive: Archive) -> dict[Place, list[tuple[str, bytes | None]]]:
    dead = defaultdict(list)
    for record in archive.of(DEAD_LETTERS).values():
        headers = dict(record.headers)
        if headers["original-topic"] == b"orders":
            epoch = archive.epoch_at("orders", int(headers["original-timestamp"]))
            where = int(headers["original-partition"]), int(headers["original-offset"])
            dead[Place(epoch, *where)].append((headers["service"].decode(), record.value))
    return dead
