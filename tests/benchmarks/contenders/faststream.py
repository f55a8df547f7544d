"""FastStream with its confluent broker, as its documentation shows it: a subscriber for each
service, Pydantic models, one `publish` for each message. Rows are stored one by one.

    python -m tests.benchmarks.contenders.faststream
"""

import asyncio

from faststream import FastStream
from faststream.confluent import KafkaBroker, KafkaMessage
from pydantic import BaseModel

from tests.benchmarks.contenders.common import HAS_STORE, KAFKA, Database, now, row


class Order(BaseModel):
    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: str


class FraudAlert(BaseModel):
    order_id: int
    reason: str
    amount: float
    country: str
    customer_id: int
    detected_at: str


class Payment(BaseModel):
    order_id: int
    payment_id: str
    status: str
    amount: float
    paid_at: str


# No logger: it would write two lines for each message.
broker = KafkaBroker(KAFKA, acks="all", logger=None)
app = FastStream(broker, logger=None)
alerts = broker.publisher("fraud-alerts")
payments = broker.publisher("payments")


@broker.subscriber("orders", group_id="fraud", auto_offset_reset="earliest")
async def fraud(order: Order) -> None:
    if order.amount > 300 and order.country not in {"US", "CA"}:
        alert = FraudAlert(
            order_id=order.order_id,
            reason="HIGH_AMOUNT_RISKY_COUNTRY",
            amount=order.amount,
            country=order.country,
            customer_id=order.customer_id,
            detected_at=now(),
        )
        await alerts.publish(alert, key=b"%d" % order.order_id)


@broker.subscriber("orders", group_id="payment", auto_offset_reset="earliest")
async def payment(order: Order) -> None:
    paid = Payment(
        order_id=order.order_id,
        payment_id=f"pay-{order.order_id}",
        status="DECLINED" if order.amount > 10_000 else "PAID",
        amount=order.amount,
        paid_at=now(),
    )
    await payments.publish(paid, key=b"%d" % order.order_id)


if HAS_STORE:
    database = Database()

    def keep(table: str, value: BaseModel, message: KafkaMessage) -> None:
        place = message.raw_message.partition(), message.raw_message.offset()
        database.save(table, row(table, value.model_dump(), *place))

    @broker.subscriber("orders", group_id="analytics", auto_offset_reset="earliest")
    async def analytics(order: Order, message: KafkaMessage) -> None:
        keep("orders", order, message)

    @broker.subscriber("fraud-alerts", group_id="analytics", auto_offset_reset="earliest")
    async def analytics_alerts(alert: FraudAlert, message: KafkaMessage) -> None:
        keep("alerts", alert, message)

    @broker.subscriber("payments", group_id="analytics", auto_offset_reset="earliest")
    async def analytics_payments(paid: Payment, message: KafkaMessage) -> None:
        keep("payments", paid, message)


if __name__ == "__main__":
    asyncio.run(app.run())
