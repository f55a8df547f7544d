"""How far fraud, payment and analytics are, and what follows from it for an order."""

import asyncio

from aiokafka import TopicPartition

from orderapp.app import app
from orderapp.engine.health.lag import LagMonitor, LagUnknownError, Look
from orderapp.readers import readers
from orderapp.store import OrderStory
from orderapp.web.api.answers import Fraud

#: Seconds that Kafka may hold up an answer; a view has to answer for the store's time too.
KAFKA_PATIENCE = 1.2

monitor = LagMonitor(lambda: app.cluster, readers())
app.resources.append(monitor)


def _forget(topic: str) -> None:
    """Its offsets may mean other records now."""
    monitor.forget()
    _judged.clear()


app.topic_listeners.append(_forget)


async def look() -> Look | None:
    """How far everyone is, None when Kafka can't be asked in time."""
    try:
        async with asyncio.timeout(KAFKA_PATIENCE):
            return await monitor.look()
    except (LagUnknownError, TimeoutError):
        return None


async def fraud_of(story: OrderStory) -> Fraud:
    """What the fraud service found."""
    if story.alerts:
        return Fraud("ALERT", story.alerts[0].reason)
    if story.dead_letter and "fraud" in story.dead_letter.service.split(","):
        return Fraud("UNKNOWN", "the fraud service gave this order up")
    partition, offset = story.order.kafka_partition, story.order.kafka_offset
    if offset < _judged.get(partition, 0):
        return Fraud("CLEAR")
    now = await look()
    if now is None or now.services.get("fraud") is None:
        return Fraud("UNKNOWN", "it is not known how far the fraud service is")
    known = judged([*monitor.looks] or [now], partition)
    _judged[partition] = max(known, _judged.get(partition, 0))
    return Fraud("CLEAR" if offset < _judged[partition] else "PENDING")


#: By partition: what `judged` has said. It only grows as long as the topics stay what they are,
#: so that old orders ask nobody.
_judged: dict[int, int] = {}


def judged(looks: list[Look], partition: int) -> int:
    """The offset of `orders` up to which fraud has judged, and all alerts are stored.

    `looks`: what is known of Kafka, the newest at the end."""
    orders, alerts = (TopicPartition(name, partition) for name in ("orders", "fraud-alerts"))
    analytics = looks[-1].services.get("analytics")
    stored = analytics.committed.get(alerts, 0) if analytics else None
    for look in reversed(looks):
        fraud = look.services.get("fraud")
        # An alert was sent before its order was committed, so it lies below this end, though
        # perhaps behind an open transaction.
        if fraud and (stored is None or stored >= look.high.get(alerts, 0)):
            return fraud.committed.get(orders, 0)
    return 0
