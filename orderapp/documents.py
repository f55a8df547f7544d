"""The documents of orders, alerts, payments and dead letters, made of their records."""

from collections.abc import Iterable
from typing import TypeVar

from aiokafka import ConsumerRecord

from orderapp.engine.dead_letters.headers import DamagedError, read_headers, sent_at
from orderapp.engine.observe.trace_headers import trace_id
from orderapp.letters.select import named_order
from orderapp.models import Attempt, FraudAlert, Order, Payment, known_time
from orderapp.store import (
    AlertDocument,
    DeadLetterDocument,
    Finding,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)

F = TypeVar("F", bound=Finding)


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


def alert_document(alert: FraudAlert, record: ConsumerRecord) -> AlertDocument:
    """The document of an alert."""
    return _finding(AlertDocument, alert, record)


def shadow_document(alert: FraudAlert, record: ConsumerRecord) -> ShadowDocument:
    """The document of what a rule in the shadow has found."""
    return _finding(ShadowDocument, alert, record, failed=alert.failed is True)


def _finding(kind: type[F], alert: FraudAlert, record: ConsumerRecord, **more: bool) -> F:
    return kind(
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
        rule_version=alert.rule_version,
        detail=alert.detail,
        **more,
    )


def payment_document(payment: Payment, record: ConsumerRecord) -> PaymentDocument:
    """The document of a payment."""
    attempts = payment.attempt_times
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
        attempt_times=intervals(attempts) if attempts else "",
    )


def intervals(attempts: Iterable[Attempt]) -> str:
    """The times of attempts, as a document keeps them; nothing if one of them is no time."""
    times = [(known_time(one.began), known_time(one.ended)) for one in attempts]
    if not all(began and ended for began, ended in times):
        return ""
    return " ".join(f"{began}/{ended}" for began, ended in times)


def attempts_in(text: str) -> list[Attempt]:
    """The attempts that `intervals` has written; none for what it has not."""
    found = []
    for interval in text.split():
        began, _, ended = interval.partition("/")
        found.append(Attempt(known_time(began) or "", known_time(ended) or ""))
    return found if all(one.began and one.ended for one in found) else []


def _timestamp(record: ConsumerRecord) -> int:
    # Only a replay, which has headers, has a time that is not its own.
    timestamp: int = sent_at(record) if record.headers else record.timestamp
    return timestamp


def dead_letter_document(record: ConsumerRecord) -> DeadLetterDocument | None:
    """The document of a record of `orders-dlq`; None when nobody can tell of which order."""
    try:
        origin = read_headers(record.headers or ())
    except DamagedError:
        return None
    order_id = named_order(record)
    if order_id is None:
        return None
    return DeadLetterDocument(
        order_id=order_id,
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
