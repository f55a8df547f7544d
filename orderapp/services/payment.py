"""Payment: every order is charged at the payment gateway."""

from collections.abc import Mapping
from functools import partial

from msgspec import UNSET, UnsetType

from orderapp import topics
from orderapp.app import app, gateway
from orderapp.engine import Batch, PartlyFailedError
from orderapp.gateways import payment_id
from orderapp.gateways.attempts import times_of
from orderapp.models import Attempt, Order, Payment, PaymentStatus, now


def pay(
    order: Order,
    status: PaymentStatus,
    paid_at: str,
    attempts: int = 1,
    attempt_times: list[Attempt] | UnsetType = UNSET,
) -> Payment:
    """The payment for an order that the gateway answered with `status`."""
    return topics.payments.message(
        order_id=order.order_id,
        payment_id=payment_id(order.order_id),
        status=status,
        amount=order.amount,
        paid_at=paid_at,
        attempts=attempts,
        country=order.country,
        created_at=order.created_at,
        attempt_times=attempt_times,
    )


# Batches whose waits overlap: at 100 ms for each order this is what lets orders be paid as they
# come, instead of 10 batches a second.
@app.batches(topics.orders, sends=topics.payments, overlap=256)
async def payment(orders: Batch[Order]) -> None:
    """Charge each order, and report it as soon as the gateway has answered."""
    failed = await gateway.charge_all(orders, partial(report, orders))
    if failed:
        raise PartlyFailedError(failed)


async def report(orders: Batch[Order], answers: Mapping[int, PaymentStatus]) -> None:
    """Send the payments of the orders (by their index) that were answered."""
    paid_at = now()
    times = times_of(orders, paid_at)
    payments = [
        pay(orders.values[index], status, paid_at, orders.attempt, times)
        for index, status in answers.items()
    ]
    await topics.payments.send_all(payments, of=orders, at=answers)
