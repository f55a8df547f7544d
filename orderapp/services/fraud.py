"""Fraud: large orders from countries that are not known to be safe."""

import logging

import msgspec
from faust.types import StreamT

from orderapp import metrics, topics
from orderapp.app import app
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.structs import struct_of
from orderapp.engine.observe import trace_headers, tracing
from orderapp.engine.observe.logs import Few
from orderapp.models import FraudAlert, Order, now

logger = logging.getLogger(__name__)
#: Under load one alert in ten orders would be thousands of lines a second.
few = Few(logger, what="risky orders")

HIGH_AMOUNT = 300
SAFE_COUNTRIES = frozenset({"US", "CA"})
#: The one reason for an alert.
REASON = "HIGH_AMOUNT_RISKY_COUNTRY"

#: Batches that are judged at one time: while one waits for Kafka, others go on.
OVERLAP = 16

Alert = struct_of(FraudAlert)
encode = msgspec.json.Encoder().encode


def is_risky(order: Order) -> bool:
    """Whether an order is above 300 and not from the US or Canada."""
    return order.amount > HIGH_AMOUNT and order.country not in SAFE_COUNTRIES


def alert_for(order: Order, detected_at: str) -> FraudAlert:
    """The alert that a risky order raises."""
    return Alert(
        order_id=order.order_id,
        reason=REASON,
        amount=order.amount,
        country=order.country,
        customer_id=order.customer_id,
        detected_at=detected_at,
        created_at=order.created_at,
    )


async def check(orders: Batch[Order]) -> None:
    """Send an alert for every risky order of a batch."""
    detected_at = now()
    alerts = [alert_for(order, detected_at) for order in orders if is_risky(order)]
    if alerts:
        messages = [(b"%d" % alert.order_id, encode(alert)) for alert in alerts]
        headers = tracing.onward(orders)
        if headers is not None:
            pairs = zip(orders, headers, strict=True)
            headers = [own for order, own in pairs if is_risky(order)]
        await app.send_all("fraud-alerts", orders.partition, messages, headers)
        report(alerts, headers)
    metrics.judged(len(orders), len(alerts))


def report(alerts: list[FraudAlert], headers: list[trace_headers.Headers] | None) -> None:
    """Say in the log which orders are risky: the first ones, and how many more."""
    for index, alert in enumerate(alerts[: few.room(len(alerts))]):
        logger.info(
            "order %d is risky: %s, %.2f from %s",
            alert.order_id,
            alert.reason,
            alert.amount,
            alert.country,
            extra={
                "order_id": alert.order_id,
                "trace_id": trace_headers.trace_id(headers[index]) if headers else "",
                "service": "fraud",
            },
        )


app.writes("fraud-alerts")


@app.agent(topics.orders, name="fraud")
async def fraud(orders: StreamT[Batch[Order]]) -> None:
    """Raise an alert for each risky order."""
    await app.deliver("fraud", orders, check, overlap=OVERLAP)
