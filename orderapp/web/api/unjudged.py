"""Rules that could not judge an order. Fraud goes on without a rule that raises, and sends
nothing about it; but a rule is pure, so it is asked again when somebody looks at the order."""

from collections.abc import Mapping

from orderapp import control, topics
from orderapp.judging import failing, rules
from orderapp.store import OrderDocument


def unjudged(order: OrderDocument) -> Mapping[str, str]:
    """Why rules can't judge an order, by their ids: of those without a window that were active
    when Kafka got it."""
    at = order.kafka_timestamp
    in_force = control.changes.at(at) if at > 0 else rules.all
    asked = topics.orders.message(
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount=order.amount,
        country=order.country,
        created_at=order.created_at or None,
    )
    return failing(in_force.values(), asked)


def in_words(failed: Mapping[str, str]) -> str:
    """`the rule ODD could not judge it: division by zero`"""
    return "; ".join(
        f"the rule {rule_id} could not judge it: {why}" for rule_id, why in failed.items()
    )
