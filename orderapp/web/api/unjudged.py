"""Rules that could not judge an order. Fraud goes on without a rule that raises. Of one with a
window it sends a mark; of the others nothing: they are pure, and so are asked again when
somebody looks at the order."""

from collections.abc import Mapping

from orderapp import control, topics
from orderapp.judging import failing, rules
from orderapp.store import OrderStory


def unjudged(story: OrderStory) -> Mapping[str, str]:
    """Why rules can't judge an order, by their ids: those that were active when Kafka got
    it."""
    order, at = story.order, story.order.kafka_timestamp
    in_force = control.changes.at(at) if at > 0 else rules.all
    asked = topics.orders.message(
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount=order.amount,
        country=order.country,
        created_at=order.created_at or None,
    )
    marked = {one.reason: one.detail for one in story.shadow if one.failed}
    return {**failing(in_force.values(), asked), **marked}


def in_words(failed: Mapping[str, str]) -> str:
    """`the rule ODD could not judge it: division by zero`"""
    return "; ".join(
        f"the rule {rule_id} could not judge it: {why}" for rule_id, why in failed.items()
    )
