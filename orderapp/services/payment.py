"""Payment: every order is charged at a (simulated) gateway."""

import asyncio

import msgspec
from faust.types import StreamT

from orderapp import topics
from orderapp.app import app, settings
from orderapp.engine.batching import Batch
from orderapp.engine.twins import twin
from orderapp.models import Order, Payment, now

#: The gateway declines charges above this amount.
LIMIT = 10_000

#: Batches whose waits overlap. At 100 ms for each order this is what lets orders be paid as
#: they come, instead of 10 batches a second.
OVERLAP = 256

PaymentTwin = twin(Payment)
encode = msgspec.json.Encoder().encode


def payment_id(order_id: int) -> str:
    """The same for the same order, however often it is charged: gateways call it an
    idempotency key, and charge once for each."""
    return f"pay-{order_id}"


def pay(order: Order, paid_at: str) -> Payment:
    """What the gateway answers to an order."""
    return PaymentTwin(
        order_id=order.order_id,
        payment_id=payment_id(order.order_id),
        status="DECLINED" if order.amount > LIMIT else "PAID",
        amount=order.amount,
        paid_at=paid_at,
    )


async def charge(orders: Batch[Order], delay: float) -> list[Payment]:
    """Charge all orders of a batch at once; the gateway takes `delay` seconds for each, and
    their waits overlap."""
    if delay:
        await asyncio.sleep(delay)
    paid_at = now()
    return [pay(order, paid_at) for order in orders]


async def charge_and_report(orders: Batch[Order]) -> None:
    """Charge a batch and send what came of it."""
    payments = await charge(orders, settings.payment_delay)
    messages = [(b"%d" % payment.order_id, encode(payment)) for payment in payments]
    await app.send_all("payments", orders.partition, messages)


@app.agent(topics.orders, name="payment")
async def payment(orders: StreamT[Batch[Order]]) -> None:
    """Charge each order and report it."""
    await app.deliver("payment", orders, charge_and_report, overlap=OVERLAP)
