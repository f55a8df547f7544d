"""Payment: every order is charged at the payment gateway."""

from collections.abc import Mapping
from functools import partial

import msgspec
from faust.types import StreamT

from orderapp import metrics, topics
from orderapp.app import app, gateway
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.structs import struct_of
from orderapp.engine.errors import PartlyFailedError
from orderapp.engine.observe import tracing
from orderapp.gateways import payment_id
from orderapp.models import Order, Payment, PaymentStatus, now

#: Batches whose waits overlap. At 100 ms for each order this is what lets orders be paid as
#: they come, instead of 10 batches a second.
OVERLAP = 256

PaymentTwin = struct_of(Payment)
encode = msgspec.json.Encoder().encode


def pay(order: Order, status: PaymentStatus, paid_at: str, attempts: int = 1) -> Payment:
    """The payment for an order that the gateway answered with `status`."""
    return PaymentTwin(
        order_id=order.order_id,
        payment_id=payment_id(order.order_id),
        status=status,
        amount=order.amount,
        paid_at=paid_at,
        attempts=attempts,
        country=order.country,
        created_at=order.created_at,
    )


async def charge(orders: Batch[Order]) -> None:
    """Charge all orders of a batch at once, and report each as soon as it is answered."""
    failed = await gateway.charge_all(orders, partial(report, orders))
    if failed:
        raise PartlyFailedError(failed)


async def report(orders: Batch[Order], answers: Mapping[int, PaymentStatus]) -> None:
    """Send the payments of the orders (by their index) that were answered."""
    paid_at = now()
    payments = [
        pay(orders.values[index], status, paid_at, orders.attempt)
        for index, status in answers.items()
    ]
    messages = [(b"%d" % payment.order_id, encode(payment)) for payment in payments]
    headers = tracing.onward(orders)
    if headers is not None:
        headers = [headers[index] for index in answers]
    await app.send_all("payments", orders.partition, messages, headers)
    metrics.charged(payments)


app.writes("payments")


@app.agent(topics.orders, name="payment")
async def payment(orders: StreamT[Batch[Order]]) -> None:
    """Charge each order and report it."""
    await app.deliver("payment", orders, charge, overlap=OVERLAP)
