"""How far fraud, payment and analytics are, and what follows from it for an order."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from orderapp import topics
from orderapp.app import app
from orderapp.engine.health.lag import LagMonitor, LagUnknownError, Look
from orderapp.readers import readers
from orderapp.store import OrderDocument, OrderStory
from orderapp.web.api.answers import Fraud

#: Seconds that Kafka may hold up an answer; a view has to answer for the store's time too.
KAFKA_PATIENCE = 1.2

monitor = LagMonitor(lambda: app.cluster, readers())
app.resources.append(monitor)


def _forget(topic: str) -> None:
    """Its offsets may mean other records now."""
    monitor.forget()
    judged_until.clear()


app.topic_listeners.append(_forget)


async def look() -> Look | None:
    """How far everyone is, None when Kafka can't be asked in time."""
    try:
        async with asyncio.timeout(KAFKA_PATIENCE):
            return await monitor.look()
    except (LagUnknownError, TimeoutError):
        return None


def was_judged(order: OrderDocument, until: Mapping[int, int]) -> bool:
    """Whether all that fraud finds of an order is stored, by what `judged_until` was."""
    return order.kafka_offset < until.get(order.kafka_partition, 0)


async def fraud_of(story: OrderStory) -> Fraud:
    """What the fraud service found. What it has found since the story was read is not in it:
    see `was_judged`."""
    if story.alerts:
        return Fraud("ALERT", story.alerts[0].reason)
    if story.dead_letter and "fraud" in story.dead_letter.service.split(","):
        return Fraud("UNKNOWN", "the fraud service gave this order up")
    if was_judged(story.order, judged_until):
        return Fraud("CLEAR")
    now = await look()
    if now is None or now.services.get("fraud") is None:
        return Fraud("UNKNOWN", "it is not known how far the fraud service is")
    partition = story.order.kafka_partition
    until = judged([*monitor.looks] or [now], partition)
    judged_until[partition] = max(until, judged_until.get(partition, 0))
    return Fraud("CLEAR" if was_judged(story.order, judged_until) else "PENDING")


_FOUND = frozenset({topics.fraud_alerts.name, topics.shadow_alerts.name})
_BY_CUSTOMER = frozenset({topics.orders_by_customer.name})

#: By partition: what `judged` has said. It only grows as long as the topics stay what they are,
#: so that old orders ask nobody.
judged_until: dict[int, int] = {}


def judged(looks: Sequence[Look], partition: int) -> int:
    """The offset of `orders` up to which fraud has judged, also by rules with a window, and all
    that it has found is stored.

    `looks`: what is known of Kafka, the newest at the end."""
    # Each is sent before what it follows from is committed, and so lies below the ends that are
    # asked for after that, though perhaps behind an open transaction. In which partition it is
    # follows from keys, and not from the order's own partition.
    looks = _done(_done(looks, "analytics", _FOUND), "fraud", _BY_CUSTOMER)
    fraud = looks[-1].services.get("fraud") if looks else None
    return fraud.committed.get(TopicPartition("orders", partition), 0) if fraud else 0


def _done(looks: Sequence[Look], service: str, topics: frozenset[str]) -> Sequence[Look]:
    """These up to the newest one after which, by the last one, the service has done all that
    the topics had then; all of them if nothing is known of the service."""
    position = looks[-1].services.get(service) if looks else None
    if position is None:
        return looks
    for count in range(len(looks), 0, -1):
        high = looks[count - 1].high.items()
        if all(position.committed.get(tp, 0) >= at for tp, at in high if tp.topic in topics):
            return looks[:count]
    return ()
