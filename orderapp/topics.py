"""Where it travels: every topic of the pipeline.

JSON values, keyed by the order id as text, so that one order always stays in one partition.
All have the same number of partitions: an order, its alert and its payment share a number.
"""

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from orderapp.app import app
from orderapp.engine.dead_letters import sent_at
from orderapp.models import FraudAlert, Order, Payment, normal_time

PARTITIONS = 6


def _complete(order: Order, record: ConsumerRecord) -> Order:
    created_at = normal_time(order.created_at, sent_at(record))
    if created_at is order.created_at:
        return order
    # The twin that travels in batches is a msgspec Struct.
    return replace(order, created_at=created_at)


# Orders of customers: from the producer, the API, or `faust -A orderapp send orders`.
orders = app.batched_topic("orders", Order, partitions=PARTITIONS, complete=_complete)

# What fraud found.
fraud_alerts = app.batched_topic("fraud-alerts", FraudAlert, partitions=PARTITIONS)

# What the gateway answered.
payments = app.batched_topic("payments", Payment, partitions=PARTITIONS)

# Records that could not be processed, unchanged, with headers that say why. Larger than the
# others: a record of Kafka's full size has to fit in with its headers.
dead_letters = app.dead_letter_topic("orders-dlq", partitions=PARTITIONS)
