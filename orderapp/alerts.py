"""Alerts: what is sent when rules have found orders."""

from collections.abc import Sequence

from orderapp import topics
from orderapp.engine import Batch, Topic
from orderapp.judging import Hit
from orderapp.models import FraudAlert, Order, now
from orderapp.rule import Rule


async def send_alerts(
    topic: Topic[FraudAlert],
    hits: Sequence[Hit],
    orders: Batch[Order],
    *,
    by_key: bool = False,
    **marks: bool,
) -> None:
    """One for each hit among the orders."""
    alerts = [alert(orders.values[at], rule, detail, **marks) for at, rule, detail in hits]
    await topic.send_all(alerts, of=orders, at=[at for at, _, _ in hits], by_key=by_key)


def alert(order: Order, rule: Rule, detail: str, **marks: bool) -> FraudAlert:
    """What is sent when a rule has found an order, or could not judge it (`failed`)."""
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
        **marks,
    )
