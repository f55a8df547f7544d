"""Payment: what the gateway answers."""

import time

import pytest

from orderapp.engine.batching import Batch
from orderapp.models import Order
from orderapp.services.payment import charge, encode, pay, payment_id


def order(order_id, amount=50.0):
    return Order(
        order_id=order_id, customer_id=1234, amount=amount, country="DE", created_at="t"
    )


@pytest.mark.parametrize(
    ("amount", "status"),
    [(0, "PAID"), (500, "PAID"), (10_000, "PAID"), (10_000.01, "DECLINED")],
)
def test_the_gateway_declines_above_its_limit(amount, status):
    assert pay(order(1, amount), "t").status == status


def test_the_same_order_always_has_the_same_payment_id():
    assert payment_id(7) == payment_id(7) == pay(order(7), "now").payment_id
    assert payment_id(7) != payment_id(8)


def test_a_payment_has_the_fields_of_the_contract():
    assert encode(pay(order(7), "2026-11-23T18:00:00.000000Z")) == (
        b'{"order_id":7,"payment_id":"pay-7","status":"PAID","amount":50.0,'
        b'"paid_at":"2026-11-23T18:00:00.000000Z"}'
    )


async def test_the_waits_of_a_batch_overlap():
    batch = Batch("orders", 0, [order(n) for n in range(100)], [])
    began = time.monotonic()

    payments = await charge(batch, 0.05)

    assert [payment.order_id for payment in payments] == list(range(100))
    assert 0.05 <= time.monotonic() - began < 2  # one after the other: 5 s
