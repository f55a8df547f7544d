"""Fraud: an alert for each active rule (`orderapp.rules`) that finds an order.

What rules in the shadow find goes to a topic of its own. While there are rules with a window,
orders are sent on with the customer as their key, and judged by these in `fraud_windows`."""

from orderapp import control, topics
from orderapp.alerts import send_alerts
from orderapp.app import app
from orderapp.engine import Batch
from orderapp.fraud_windows import BY_CUSTOMER, fraud_windows
from orderapp.judging import rules
from orderapp.models import Order

__all__ = ["fraud", "fraud_windows"]

app.follow(control.follower)


@app.batches(topics.orders, sends=(topics.fraud_alerts, topics.shadow_alerts, BY_CUSTOMER))
async def fraud(orders: Batch[Order]) -> None:
    """Judge each order by all rules that are not off."""
    # All before the first wait: a change of the rules meanwhile is for the next batch.
    hits, shadow = rules.judge(orders.values), rules.shadow(orders.values)
    if rules.with_window:
        await BY_CUSTOMER.send_all(orders.values, of=orders, by_key=True)
    await send_alerts(topics.fraud_alerts, hits, orders)
    if shadow:
        await send_alerts(topics.shadow_alerts, shadow, orders)
