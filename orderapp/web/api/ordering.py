"""Taking orders: each goes to Kafka, once for an idempotency key, and is confirmed."""

import logging

from orderapp.app import app, settings
from orderapp.engine.errors import SendRefusedError, TransientError
from orderapp.engine.health.topic_watch import place as topic_place
from orderapp.engine.observe import trace_headers
from orderapp.engine.observe.blocked import blocked
from orderapp.web.api import keyed_orders
from orderapp.web.api.new_order import NewOrder
from orderapp.web.api.sent_order import KAFKA_PATIENCE, REFUSED, SentOrder, new_order, send
from orderapp.web.server.problems import unavailable

logger = logging.getLogger(__name__)


@app.task
async def warn() -> None:
    """Say that orders are taken from anyone."""
    if settings.web.take_orders == "anyone":
        logger.warning(
            "ORDERAPP_TAKE_ORDERS=anyone: whoever reaches %s:%d may send orders, with no token "
            "asked for; this is for demonstrations only",
            app.conf.web_bind,
            app.conf.web_port,
        )


async def take(
    wanted: NewOrder, key: str | None, trace: trace_headers.Headers = ()
) -> SentOrder:
    """Send an order, or return the one that the key stands for; raises `Problem`.

    `trace` is the trace of the request, if it is part of one."""
    if not app.ready:
        raise unavailable("Kafka is not reachable: the order was not sent")
    if topic_place("orders") in blocked:
        raise unavailable("the topic 'orders' can't be used: the order was not sent")
    if key is not None:
        return await keyed_orders.keyed_orders.take(key, wanted, trace)
    order = await new_order(wanted)
    try:
        await send(order, trace, KAFKA_PATIENCE)
    except SendRefusedError as error:
        raise unavailable(REFUSED) from error
    except (TransientError, TimeoutError) as error:
        raise unavailable(
            "Kafka did not confirm the order in time; it may have been written: sent again it "
            "may be there twice; with an Idempotency-Key it would not"
        ) from error
    return order
