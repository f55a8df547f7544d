"""Analytics: keeps every order, alert, payment and dead letter as a document."""

from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import ConsumerRecord
from faust.types import StreamT

from orderapp import topics
from orderapp.app import app, store
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.framing import plain_key
from orderapp.engine.dead_letters.headers import DamagedError, read_headers, sent_at
from orderapp.engine.errors import TransientError
from orderapp.engine.observe.trace_headers import trace_id
from orderapp.models import FraudAlert, Order, Payment, now
from orderapp.store import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    OrderDocument,
    PaymentDocument,
    StoreError,
)


def order_document(order: Order, record: ConsumerRecord, stored_at: str) -> OrderDocument:
    """The document of an order that came as this record and is written at this time."""
    return OrderDocument(
        order_id=order.order_id,
        kafka_partition=record.partition,
        kafka_offset=record.offset,
        customer_id=order.customer_id,
        amount=order.amount,
        country=order.country,
        created_at=order.created_at or "",
        kafka_timestamp=_timestamp(record),
        stored_at=stored_at,
        trace_id=trace_id(record.headers) if record.headers else "",
    )


def alert_document(alert: FraudAlert, record: ConsumerRecord, stored_at: str) -> AlertDocument:
    """The document of an alert."""
    return AlertDocument(
        order_id=alert.order_id,
        kafka_partition=record.partition,
        kafka_offset=record.offset,
        reason=alert.reason,
        amount=alert.amount,
        country=alert.country,
        customer_id=alert.customer_id,
        detected_at=alert.detected_at,
        # Older senders do not say; so the alert is listed where it came in.
        created_at=alert.created_at or alert.detected_at,
        kafka_timestamp=_timestamp(record),
    )


def payment_document(
    payment: Payment, record: ConsumerRecord, stored_at: str
) -> PaymentDocument:
    """The document of a payment."""
    return PaymentDocument(
        order_id=payment.order_id,
        kafka_partition=record.partition,
        kafka_offset=record.offset,
        payment_id=payment.payment_id,
        status=payment.status,
        amount=payment.amount,
        paid_at=payment.paid_at,
        attempts=payment.attempts,
        country=payment.country or "",
        created_at=payment.created_at or payment.paid_at,
        kafka_timestamp=_timestamp(record),
    )


def _timestamp(record: ConsumerRecord) -> int:
    # Only a replay, which has headers, has a time that is not its own.
    timestamp: int = sent_at(record) if record.headers else record.timestamp
    return timestamp


def dead_letter_document(record: ConsumerRecord) -> DeadLetterDocument | None:
    """The document of a record of `orders-dlq`; None when nobody can tell of which order."""
    key = plain_key(record.key)
    # Whoever sent it: a number that no store holds must not end here as one.
    if not key.isdigit() or len(key) > 16 or int(key) > MOST:
        return None
    try:
        origin = read_headers(record.headers or ())
    except DamagedError:
        return None
    return DeadLetterDocument(
        order_id=int(key),
        kafka_partition=record.partition,
        kafka_offset=record.offset,
        service=",".join(origin.services),
        error_class=origin.error_class,
        error_text=origin.error_text,
        attempts=origin.attempts,
        original_topic=origin.topic,
        first_failure=origin.first_failure,
        last_failure=origin.last_failure,
        kafka_timestamp=record.timestamp,
    )


#: Batches that are on their way to the store at one time; SQLite writes those that wait in one
#: transaction.
OVERLAP = 16

#: The largest number that every store holds, and JavaScript too.
MOST = 2**53 - 1

DOCUMENTS: dict[str, Callable[[Any, ConsumerRecord, str], Document]] = {
    "orders": order_document,
    "fraud-alerts": alert_document,
    "payments": payment_document,
}


def documents(batch: Batch[Any]) -> list[Document]:
    """The documents of a batch; a batch comes from one topic."""
    make, stored_at = DOCUMENTS[batch.topic], now()
    return [
        make(value, record, stored_at)
        for value, record in zip(batch.values, batch.records, strict=True)
    ]


async def keep(batch: Batch[Any]) -> None:
    """Upsert the documents of a batch in one call."""
    await _upsert(documents(batch))


async def keep_dead_letters(batch: Batch[ConsumerRecord]) -> None:
    """Upsert the documents of dead letters, of which some may belong to no order."""
    found = map(dead_letter_document, batch.records)
    await _upsert([document for document in found if document is not None])


async def _upsert(documents: Sequence[Document]) -> None:
    try:
        await store.upsert(documents)
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


@app.agent(topics.dead_letters, name="analytics-dead-letters")
async def analytics_dead_letters(letters: StreamT[Batch[ConsumerRecord]]) -> None:
    """Keep each dead letter of an order."""
    await app.deliver("analytics", letters, keep_dead_letters, overlap=OVERLAP)
