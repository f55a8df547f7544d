"""Where it travels: every topic of the pipeline.

JSON values, keyed by the order id as text, so that one order always stays in one partition.
All but `control` have the same number of partitions: an order, its alert and its payment share
a number. `orders_by_customer` has other keys, for what has to know a customer's orders.
"""

import logging
from typing import Any, cast

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from orderapp import metrics
from orderapp.app import app, settings
from orderapp.engine import Json
from orderapp.engine.batches.records import about
from orderapp.engine.dead_letters.headers import sent_at
from orderapp.engine.observe.logs import Few
from orderapp.models import (
    FraudAlert,
    Order,
    Payment,
    RuleChange,
    normal_time,
    one_form,
    rule_key,
)

logger = logging.getLogger(__name__)
_few = Few(logger, logging.WARNING, "orders whose sender's clock is ahead")

PARTITIONS = settings.partitions


def _complete(order: Order, record: ConsumerRecord) -> Order:
    # Only a replay, which has headers, has a time that is not its own.
    sent = sent_at(record) if record.headers else record.timestamp
    created_at = normal_time(order.created_at, sent)
    if created_at is order.created_at:
        return order
    if order.created_at is not None and app.in_worker:
        _tell_ahead(order.created_at, created_at, record)
    # What travels in batches is a msgspec Struct.
    made: Order = replace(cast(Any, order), created_at=created_at)
    return made


def _tell_ahead(told: str, kept: str, record: ConsumerRecord) -> None:
    if one_form(told) == kept:
        return
    metrics.CLOCKS_AHEAD.inc()
    if _few.room():
        logger.warning(
            "created_at %r is more than a day ahead: using %s instead",
            told,
            kept,
            extra=about(record),
        )


orders = app.batched_topic(
    "orders",
    Order,
    partitions=PARTITIONS,
    key="order_id",
    codec=Json(Order, "schema-registry" if settings.framing == "schema-registry" else None),
    complete=_complete,
    text="Orders of customers, from the producer, the API, or `orderapp send orders`.",
)

fraud_alerts = app.batched_topic(
    "fraud-alerts",
    FraudAlert,
    partitions=PARTITIONS,
    key="order_id",
    says=lambda alert: (
        f"order {alert.order_id} is risky: {alert.reason}, "
        f"{alert.amount:.2f} from {alert.country}"
        + (f", {alert.detail}" if alert.detail else "")
    ),
    text="Risky orders.",
)

shadow_alerts = app.batched_topic(
    "fraud-alerts-shadow",
    FraudAlert,
    partitions=PARTITIONS,
    key="order_id",
    text="What rules in the shadow have found: alerts, if they were active. And, marked as "
    "`failed`, what active rules with a window could not judge.",
)

payments = app.batched_topic(
    "payments",
    Payment,
    partitions=PARTITIONS,
    key="order_id",
    told=metrics.charged,
    text="What the gateway said to an order.",
)

orders_by_customer = app.batched_topic(
    "orders-by-customer",
    Order,
    partitions=PARTITIONS,
    key="customer_id",
    text="Orders once more, for rules with a window; empty while all of these are off.",
)

# One partition: what is in force follows from the order of all records.
control = app.batched_topic(
    "orderapp-control",
    RuleChange,
    partitions=1,
    key=rule_key,
    forever=True,
    text="Changes of the rules of fraud, and of what is broken on purpose, with their history.",
)

# Larger than the others: a record of Kafka's full size has to fit in with its headers.
dead_letters = app.dead_letter_topic(
    "orders-dlq",
    partitions=PARTITIONS,
    text="What could not be processed, unchanged; the headers say why.",
)

# The API sends orders too. Its module is imported only where it runs.
with app.services.declaring("web"):
    app.declare("web", sends=orders)
