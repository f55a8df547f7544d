"""Orders that were sent over the API: found again by their ids, in the store or in Kafka."""

import asyncio
import logging
from typing import NamedTuple

import msgspec
from aiokafka import TopicPartition
from aiokafka.partitioner import murmur2

from orderapp.app import app, store
from orderapp.engine.errors import TransientError
from orderapp.engine.health.lag import Look
from orderapp.engine.kafka.search import Search
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.times import Time
from orderapp.web.api import progress
from orderapp.web.api.order_ids import may_be_ours
from orderapp.web.api.routes import PATIENCE
from orderapp.web.server.problems import unavailable

logger = logging.getLogger(__name__)
_few = Few(logger, logging.WARNING, "orders that Kafka did not answer for", most=50)


class SentOrder(msgspec.Struct, frozen=True):
    """An order as it was sent."""

    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: Time


class Known(NamedTuple):
    """An order whose id is taken; it may not be in Kafka unless `is_confirmed`."""

    order: SentOrder
    is_confirmed: bool


def warn(what: str, order_id: int | None, error: Exception, **more: str | None) -> None:
    """Log that Kafka did not answer for an order; None: it has no id yet."""
    if _few.room():
        which = "a new order" if order_id is None else f"order {order_id}"
        about = {"order_id": order_id, **more}
        logger.warning("%s: %s: %r", which, what, error, extra=about)


async def find(order_id: int) -> Known | None:
    """The order, if the store has it, or the topic where the store has not got to."""
    # Before the store is asked: what analytics has committed by now, the store has by then. So
    # has what was committed at an earlier look, which will do while Kafka is slow.
    look = await progress.look() or progress.last_look()
    async with asyncio.timeout(PATIENCE):
        story = await store.story(order_id)
    if story is not None:
        order = story.order
        sent = SentOrder(
            order_id, order.customer_id, order.amount, order.country, order.created_at
        )
        return Known(sent, is_confirmed=True)
    if look is None:
        raise unavailable("Kafka is not reachable: the order was not sent")
    key = str(order_id).encode()
    tp = _partition_of(look, key)
    analytics = look.services.get("analytics")
    stored = analytics.committed.get(tp, 0) if analytics else 0
    try:
        record = await search.find(tp, key, stored)
    except TransientError as error:
        warn("not looked up", order_id, error)
        raise unavailable("Kafka does not answer: the order was not sent") from error
    if record is None:
        return None
    try:
        order = app.decoder("orders").one(record)
    except Exception:
        return None  # somebody's record that is no order has its key
    return Known(msgspec.convert(order, SentOrder, from_attributes=True), True)


def _partition_of(look: Look, key: bytes) -> TopicPartition:
    """Where Kafka's own partitioner, which is ours too, puts a key."""
    partitions = sum(tp.topic == "orders" for tp in look.ends)
    if not partitions:
        raise unavailable("the topic 'orders' does not exist: the order was not sent")
    return TopicPartition("orders", (murmur2(key) & 0x7FFFFFFF) % partitions)


search = Search(lambda: app.cluster, may_be_ours)
app.resources.append(search)
app.topic_listeners.append(search.forget)
