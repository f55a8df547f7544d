"""Fraud: an alert for each active rule (`orderapp.rules`) that finds an order.

What rules in the shadow find goes to a topic of its own."""

from orderapp import control, topics
from orderapp.app import app
from orderapp.engine import Batch, Topic
from orderapp.judging import Hit, rules
from orderapp.models import FraudAlert, Order, now
from orderapp.rule import Rule

app.follow(control.follower)


@app.batches(topics.orders, sends=(topics.fraud_alerts, topics.shadow_alerts))
async def fraud(orders: Batch[Order]) -> None:
    """Judge each order by all rules that are not off."""
    # Both before the first wait: a change of the rules meanwhile is for the next batch.
    hits, shadow = rules.judge(orders.values), rules.shadow(orders.values)
    await _send(topics.fraud_alerts, hits, orders)
    if shadow:
        await _send(topics.shadow_alerts, shadow, orders)


async def _send(topic: Topic[FraudAlert], hits: list[Hit], orders: Batch[Order]) -> None:
    alerts = [alert(orders.values[at], rule, detail) for at, rule, detail in hits]
    await topic.send_all(alerts, of=orders, at=[at for at, _, _ in hits])


def alert(order: Order, rule: Rule, detail: str) -> FraudAlert:
    """What is sent when a rule has found an order."""
    return topics.fraud_alerts.message(
        order_id=order.order_id,
        reason=rule.id,
        amount=order.amount,
        country=order.country,
        customer_id=order.customer_id,
        detected_at=now(),
        created_at=order.created_at,
        rule_version=rule.version,
        detail=detail,
    )
