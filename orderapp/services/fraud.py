"""Fraud: an alert for each active rule (`orderapp.rules`) that finds an order."""

from orderapp import topics
from orderapp.app import app
from orderapp.engine import Batch
from orderapp.judging import rules
from orderapp.models import FraudAlert, Order, now
from orderapp.rule import Rule


@app.batches(topics.orders, sends=topics.fraud_alerts)
async def fraud(orders: Batch[Order]) -> None:
    """Judge each order by all active rules."""
    hits = rules.judge(orders.values)
    alerts = [alert(orders.values[at], rule, detail) for at, rule, detail in hits]
    await topics.fraud_alerts.send_all(alerts, of=orders, at=[at for at, _, _ in hits])


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
