"""Analytics: keeps every order, alert and payment as a document."""

from collections.abc import Callable
from typing import Any

from faust.types import StreamT

from orderapp import topics
from orderapp.app import app, store
from orderapp.engine.batching import Batch
from orderapp.engine.errors import TransientError
from orderapp.models import FraudAlert, Order, Payment
from orderapp.store import (
    AlertDocument,
    Document,
    OrderDocument,
    PaymentDocument,
    StoreError,
)


def order_document(order: Order, partition: int, offset: int) -> OrderDocument:
    """The document of an order that came from this place in Kafka."""
    return OrderDocument(
        order_id=order.order_id,
        kafka_partition=partition,
        kafka_offset=offset,
        customer_id=order.customer_id,
        amount=order.amount,
        country=order.country,
        created_at=order.created_at or "",
    )


def alert_document(alert: FraudAlert, partition: int, offset: int) -> AlertDocument:
    """The document of an alert."""
    return AlertDocument(
        order_id=alert.order_id,
        kafka_partition=partition,
        kafka_offset=offset,
        reason=alert.reason,
        amount=alert.amount,
        country=alert.country,
        customer_id=alert.customer_id,
        detected_at=alert.detected_at,
    )


def payment_document(payment: Payment, partition: int, offset: int) -> PaymentDocument:
    """The document of a payment."""
    return PaymentDocument(
        order_id=payment.order_id,
        kafka_partition=partition,
        kafka_offset=offset,
        payment_id=payment.payment_id,
        status=payment.status,
        amount=payment.amount,
        paid_at=payment.paid_at,
    )


#: Batches that are on their way to the store at one time; SQLite writes those that wait in one
#: transaction.
OVERLAP = 16

DOCUMENTS: dict[str, Callable[[Any, int, int], Document]] = {
    "orders": order_document,
    "fraud-alerts": alert_document,
    "payments": payment_document,
}


def documents(batch: Batch[Any]) -> list[Document]:
    """The documents of a batch; a batch comes from one topic."""
    make, partition = DOCUMENTS[batch.topic], batch.partition
    return [
        make(value, partition, record.offset)
        for value, record in zip(batch.values, batch.records, strict=True)
    ]


async def keep(batch: Batch[Any]) -> None:
    """Upsert the documents of a batch in one call."""
    try:
        await store.upsert(documents(batch))
    except StoreError as error:
        # Also when the store refuses: an order is never given up for the store's sake.
        raise TransientError(str(error)) from error


@app.agent(topics.orders, name="analytics")
async def analytics(orders: StreamT[Batch[Order]]) -> None:
    """Keep each order."""
    await app.deliver("analytics", orders, keep, overlap=OVERLAP)


@app.agent(topics.fraud_alerts, name="analytics-alerts")
async def analytics_alerts(alerts: StreamT[Batch[FraudAlert]]) -> None:
    """Keep each fraud alert."""
    await app.deliver("analytics", alerts, keep, overlap=OVERLAP)


@app.agent(topics.payments, name="analytics-payments")
async def analytics_payments(payments: StreamT[Batch[Payment]]) -> None:
    """Keep each payment."""
    await app.deliver("analytics", payments, keep, overlap=OVERLAP)
