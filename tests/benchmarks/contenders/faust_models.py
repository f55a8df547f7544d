"""The Records of the two Faust contenders, and the rules on them."""

import faust

from tests.benchmarks.contenders.common import now


class Order(faust.Record, include_metadata=False, serializer="json"):
    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: str


class FraudAlert(faust.Record, include_metadata=False, serializer="json"):
    order_id: int
    reason: str
    amount: float
    country: str
    customer_id: int
    detected_at: str


class Payment(faust.Record, include_metadata=False, serializer="json"):
    order_id: int
    payment_id: str
    status: str
    amount: float
    paid_at: str


def is_risky(order: Order) -> bool:
    return order.amount > 300 and order.country not in {"US", "CA"}


def alert_for(order: Order) -> FraudAlert:
    return FraudAlert(
        order_id=order.order_id,
        reason="HIGH_AMOUNT_RISKY_COUNTRY",
        amount=order.amount,
        country=order.country,
        customer_id=order.customer_id,
        detected_at=now(),
    )


def payment_for(order: Order) -> Payment:
    return Payment(
        order_id=order.order_id,
        payment_id=f"pay-{order.order_id}",
        status="DECLINED" if order.amount > 10_000 else "PAID",
        amount=order.amount,
        paid_at=now(),
    )
