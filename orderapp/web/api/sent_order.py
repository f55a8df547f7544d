"""Orders of the API on their way to Kafka."""

import asyncio
import logging

import msgspec

from orderapp.app import app
from orderapp.engine.errors import TransientError
from orderapp.engine.observe import trace_headers, tracing
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.times import Time
from orderapp.models import now
from orderapp.order_ids import order_ids
from orderapp.web.api.new_order import NewOrder
from orderapp.web.server.problems import unavailable

logger = logging.getLogger(__name__)
_few = Few(logger, logging.WARNING, "orders that were not taken at once", most=50)

#: Seconds that Kafka has to confirm an order, or to give an id.
KAFKA_PATIENCE = 4.0

REFUSED = (
    "Kafka takes no orders as things stand: it was not written, and the log of the worker says "
    "what to mend"
)

_encode = msgspec.json.Encoder().encode


class SentOrder(msgspec.Struct, frozen=True):
    """An order as it was sent."""

    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: Time


async def new_order(wanted: NewOrder) -> SentOrder:
    """The order that a client wants, with an id of its own; raises `Problem` without Kafka."""
    try:
        async with asyncio.timeout(KAFKA_PATIENCE):
            order_id = await order_ids.next()
    except (TransientError, TimeoutError) as error:
        warn("no id", None, error)
        raise unavailable("Kafka does not answer: the order was not sent") from error
    # 0.0: JSON knows a -0.
    amount = wanted.amount + 0.0
    return SentOrder(order_id, wanted.customer_id, amount, wanted.country, now())


async def send(
    order: SentOrder, trace: trace_headers.Headers, seconds: float | None = None
) -> None:
    """Return when Kafka has confirmed an order; raises `TransientError` or TimeoutError.

    `trace` is the trace of the request, if it is part of one. Without `seconds` it takes as
    long as the client needs to know that it may give up, up to a minute."""
    message = str(order.order_id).encode(), _encode(order)
    with tracing.sending("orders", message[0], trace) as headers:
        try:
            async with asyncio.timeout(seconds):
                await app.send_all("orders", None, [message], [headers])
        except (TransientError, TimeoutError) as error:
            trace_id = trace_headers.trace_id(headers)
            warn("not confirmed", order.order_id, error, trace_id=trace_id)
            raise


def warn(what: str, order_id: int | None, error: Exception, **more: str | None) -> None:
    """Log that Kafka or the store did not answer for an order; None: it has no id yet."""
    if _few.room():
        which = "a new order" if order_id is None else f"order {order_id}"
        about = {"order_id": order_id, **more}
        logger.warning("%s: %s: %r", which, what, error, extra=about)
