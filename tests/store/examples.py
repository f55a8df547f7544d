"""Documents for the tests of the stores; each argument has a value that fits."""

from typing import Any

from msgspec.structs import astuple

from orderapp.store import (
    AlertDocument,
    DeadLetterDocument,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)


def order(order_id: int = 1, **fields: Any) -> OrderDocument:
    defaults: dict[str, Any] = {
        "kafka_partition": 3,
        "kafka_offset": 41,
        "customer_id": 1234,
        "amount": 450.25,
        "country": "IN",
        "created_at": "2025-06-01T12:00:00.000000Z",
    }
    return OrderDocument(order_id=order_id, **(defaults | fields))


def alert(order_id: int = 1, **fields: Any) -> AlertDocument:
    defaults: dict[str, Any] = {
        "kafka_partition": 3,
        "kafka_offset": 7,
        "reason": "HIGH_AMOUNT_RISKY_COUNTRY",
        "amount": 450.25,
        "country": "IN",
        "customer_id": 1234,
        "detected_at": "2025-06-01T12:00:00.010000Z",
    }
    return AlertDocument(order_id=order_id, **(defaults | fields))


def shadow(order_id: int = 1, *, failed: bool = False, **fields: Any) -> ShadowDocument:
    found = alert(order_id, **({"reason": "CUSTOMER_VELOCITY", "kafka_offset": 9} | fields))
    return ShadowDocument(*astuple(found), failed=failed)


def payment(order_id: int = 1, **fields: Any) -> PaymentDocument:
    defaults: dict[str, Any] = {
        "kafka_partition": 3,
        "kafka_offset": 40,
        "payment_id": f"pay-{order_id}",
        "status": "PAID",
        "amount": 450.25,
        "paid_at": "2025-06-01T12:00:00.110000Z",
    }
    return PaymentDocument(order_id=order_id, **(defaults | fields))


def dead_letter(order_id: int = 1, **fields: Any) -> DeadLetterDocument:
    defaults: dict[str, Any] = {
        "kafka_partition": 3,
        "kafka_offset": 2,
        "service": "payment",
        "error_class": "GatewayError",
        "error_text": "no answer",
        "attempts": 8,
        "original_topic": "orders",
        "first_failure": "2025-06-01T12:00:00.110Z",
        "last_failure": "2025-06-01T12:01:00.110Z",
    }
    return DeadLetterDocument(order_id=order_id, **(defaults | fields))
