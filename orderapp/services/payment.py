"""Payment: every order is charged at a (simulated) gateway."""

import asyncio

import msgspec
from faust.types import StreamT

from orderapp import metrics, topics
from orderapp.app import app, settings
from orderapp.engine import tracing
from orderapp.engine.batching import Batch
from orderapp.engine.errors import PartlyFailedError
from orderapp.engine.twins import twin
from orderapp.gateway import Gateway, GatewayTimeoutError
from orderapp.models import Order, Payment, PaymentStatus, now

#: Batches whose waits overlap. At 100 ms for each order this is what lets orders be paid as
#: they come, instead of 10 batches a second.
OVERLAP = 256

PaymentTwin = twin(Payment)
encode = msgspec.json.Encoder().encode
gateway = Gateway(settings.payment_delay, settings.faults)


def payment_id(order_id: int) -> str:
    """The same for the same order, however often it is charged: gateways call it an
    idempotency key, and charge once for each."""
    return f"pay-{order_id}"


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
    groups = gateway.groups(len(orders))
    results = await asyncio.gather(
        *(_charge(orders, *group) for group in groups), return_exceptions=True
    )
    failed: dict[int, Exception] = {}
    for (_, _, which), error in zip(groups, results, strict=True):
        if isinstance(error, GatewayTimeoutError):
            failed |= dict.fromkeys(which, error)
        elif isinstance(error, BaseException):
            raise error
    if failed:
        raise PartlyFailedError(failed)


async def _charge(
    orders: Batch[Order], seconds: float, answers: bool, which: list[int]
) -> None:
    await gateway.wait(seconds)
    if not answers:
        metrics.unanswered(len(which))
        raise GatewayTimeoutError(f"the gateway did not answer within {seconds:g} s")
    paid_at, attempt = now(), orders.attempt
    payments = [
        pay(order, gateway.answer(order), paid_at, attempt)
        for order in (orders.values[index] for index in which)
    ]
    messages = [(b"%d" % payment.order_id, encode(payment)) for payment in payments]
    headers = tracing.onward(orders)
    if headers is not None:
        headers = [headers[index] for index in which]
    await app.send_all("payments", orders.partition, messages, headers)
    metrics.charged(payments)


@app.agent(topics.orders, name="payment")
async def payment(orders: StreamT[Batch[Order]]) -> None:
    """Charge each order and report it."""
    await app.deliver("payment", orders, charge, overlap=OVERLAP)
