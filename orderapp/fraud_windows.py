"""Fraud, by rules with a window: they have to know all orders of a customer, and so judge where
orders arrive with the customer as their key."""

from typing import Any

from orderapp import topics
from orderapp.alerts import send_alerts
from orderapp.app import app
from orderapp.engine import Batch
from orderapp.judging import hits_with_windows, rules
from orderapp.memory import Memory
from orderapp.models import Order

BY_CUSTOMER = topics.orders_by_customer
memory = Memory(BY_CUSTOMER.name, lambda: app.cluster, app.decoder(BY_CUSTOMER.name))


# One batch after the other: what a window holds depends on what came before.
@app.batches(BY_CUSTOMER, sends=(topics.fraud_alerts, topics.shadow_alerts), overlap=1)
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
    active = [one for one in asked if one.rule.state == "active"]
    failed = [hit for one in active for hit in one.unjudged(orders.values)]
    for topic, state in ((topics.fraud_alerts, "active"), (topics.shadow_alerts, "shadow")):
        if found := [hit for hit in hits if hit[1].state == state]:
            # To where the order is, as far as Kafka's usual partitioner has put it there.
            await send_alerts(topic, found, orders, by_key=True)
    # Such an order is not clear, which nobody else can tell.
    if failed:
        await send_alerts(topics.shadow_alerts, failed, orders, by_key=True, failed=True)


@app.on_partitions_assigned.connect
async def _forget_others(_: Any, /, *assigned: Any, signal: Any, **__: Any) -> None:
    memory.keep(tp.partition for tp in assigned[0] if tp.topic == BY_CUSTOMER.name)


app.topic_listeners.append(memory.notice)
