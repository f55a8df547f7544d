"""Fraud: large orders from countries that are not known to be safe."""

from orderapp import topics
from orderapp.app import app
from orderapp.models import FraudAlert, Order, now

HIGH_AMOUNT = 300
SAFE_COUNTRIES = frozenset({"US", "CA"})
#: The one reason for an alert.
REASON = "HIGH_AMOUNT_RISKY_COUNTRY"


def is_risky(order: Order) -> bool:
    """Whether an order is above 300 and not from the US or Canada."""
    return order.amount > HIGH_AMOUNT and order.country not in SAFE_COUNTRIES


@app.each(topics.orders, sends=topics.fraud_alerts)
def fraud(order: Order) -> FraudAlert | None:
    """Raise an alert for each risky order."""
    if not is_risky(order):
        return None
    return topics.fraud_alerts.message(
        order_id=order.order_id,
        reason=REASON,
        amount=order.amount,
        country=order.country,
        customer_id=order.customer_id,
        detected_at=now(),
        created_at=order.created_at,
    )
