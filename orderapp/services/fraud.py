"""Fraud: large orders from countries that are not known to be safe."""

import msgspec
from faust.types import StreamT

from orderapp import topics
from orderapp.app import app
from orderapp.engine.batching import Batch
from orderapp.engine.twins import twin
from orderapp.models import FraudAlert, Order, now

HIGH_AMOUNT = 300
SAFE_COUNTRIES = frozenset({"US", "CA"})

Alert = twin(FraudAlert)
encode = msgspec.json.Encoder().encode


def is_risky(order: Order) -> bool:
    """Whether an order is above 300 and not from the US or Canada."""
    return order.amount > HIGH_AMOUNT and order.country not in SAFE_COUNTRIES


def alert_for(order: Order, detected_at: str) -> FraudAlert:
    """The alert that a risky order raises."""
    return Alert(
        order_id=order.order_id,
        reason="HIGH_AMOUNT_RISKY_COUNTRY",
        amount=order.amount,
        country=order.country,
        customer_id=order.customer_id,
        detected_at=detected_at,
    )


async def check(orders: Batch[Order]) -> None:
    """Send an alert for every risky order of a batch."""
    detected_at = now()
    alerts = [alert_for(order, detected_at) for order in orders if is_risky(order)]
    if alerts:
        messages = [(b"%d" % alert.order_id, encode(alert)) for alert in alerts]
        await app.send_all("fraud-alerts", orders.partition, messages)


@app.agent(topics.orders, name="fraud")
async def fraud(orders: StreamT[Batch[Order]]) -> None:
    """Raise an alert for each risky order."""
    await app.deliver("fraud", orders, check)
