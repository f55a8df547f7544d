"""Fraud: an alert for each active rule (`orderapp.rules`) that finds an order.

What rules in the shadow find goes to a topic of its own. Rules with a window have to know all
orders of a customer: while there are such, orders are sent on with the customer as their key,
and judged by these rules where they arrive."""

from typing import Any

from orderapp import control, topics
from orderapp.app import app
from orderapp.engine import Batch, Topic
from orderapp.judging import Hit, hits_with_windows, rules
from orderapp.memory import Memory
from orderapp.models import FraudAlert, Order, now
from orderapp.rule import Rule

app.follow(control.follower)

_BY_CUSTOMER = topics.orders_by_customer
memory = Memory(_BY_CUSTOMER.name, lambda: app.cluster, app.decoder(_BY_CUSTOMER.name))


@app.batches(topics.orders, sends=(topics.fraud_alerts, topics.shadow_alerts, _BY_CUSTOMER))
async def fraud(orders: Batch[Order]) -> None:
    """Judge each order by all rules that are not off."""
    # All before the first wait: a change of the rules meanwhile is for the next batch.
    hits, shadow = rules.judge(orders.values), rules.shadow(orders.values)
    if rules.with_window:
        await _BY_CUSTOMER.send_all(orders.values, of=orders, by_key=True)
    await _send(topics.fraud_alerts, hits, orders)
    if shadow:
        await _send(topics.shadow_alerts, shadow, orders)


# One batch after the other: what a window holds depends on what came before.
@app.batches(_BY_CUSTOMER, sends=(topics.fraud_alerts, topics.shadow_alerts), overlap=1)
async def fraud_windows(orders: Batch[Order]) -> None:
    """Judge each order by the rules that ask for the customer's others."""
    asked = rules.with_window
    if not asked:
        memory.keep(())
        return
    windows = await memory.before(orders, max(one.seconds for one in asked))
    times = [record.timestamp for record in orders.records]
    hits = hits_with_windows(asked, orders.values, times, windows)
    if rules.are_later:
        rules.count_verdicts(orders.values, hits)
    for topic, state in ((topics.fraud_alerts, "active"), (topics.shadow_alerts, "shadow")):
        if found := [hit for hit in hits if hit[1].state == state]:
            # To where the order is, as far as Kafka's usual partitioner has put it there.
            await _send(topic, found, orders, by_key=True)


@app.on_partitions_assigned.connect
async def _forget_others(_: Any, /, *assigned: Any, signal: Any, **__: Any) -> None:
    memory.keep(tp.partition for tp in assigned[0] if tp.topic == _BY_CUSTOMER.name)


app.topic_listeners.append(memory.notice)


async def _send(
    topic: Topic[FraudAlert], hits: list[Hit], orders: Batch[Order], *, by_key: bool = False
) -> None:
    alerts = [alert(orders.values[at], rule, detail) for at, rule, detail in hits]
    at = [at for at, _, _ in hits]
    await topic.send_all(alerts, of=orders, at=at, by_key=by_key)


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
