"""What is counted of orders."""

import pytest

from orderapp import metrics
from orderapp.engine.batches.structs import struct_of
from orderapp.engine.observe.metrics import REGISTRY
from orderapp.models import Payment


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels)


def payment(order_id, amount, status):
    return struct_of(Payment)(
        order_id=order_id,
        payment_id=f"pay-{order_id}",
        status=status,
        amount=amount,
        paid_at="2026-11-23T18:00:00.000000Z",
    )


def test_revenue_is_what_was_paid_and_not_what_was_declined():
    paid, declined = (value("orderapp_payments_total", status=s) for s in ("PAID", "DECLINED"))
    revenue = value("orderapp_revenue_total")

    metrics.charged(
        [payment(1, 10.5, "PAID"), payment(2, 2.5, "PAID"), payment(3, 9e9, "DECLINED")], 3
    )

    assert value("orderapp_payments_total", status="PAID") == paid + 2
    assert value("orderapp_payments_total", status="DECLINED") == declined + 1
    assert value("orderapp_revenue_total") == pytest.approx(revenue + 13)


@pytest.mark.parametrize(("orders", "alerts"), [(0, 0), (5, 0), (5, 5), (5, 2)])
def test_every_order_is_an_alert_or_clear(orders, alerts):
    before = {v: value("orderapp_fraud_verdicts_total", verdict=v) for v in ("alert", "clear")}

    metrics.judged(alerts, orders)

    assert value("orderapp_fraud_verdicts_total", verdict="alert") == before["alert"] + alerts
    clear = before["clear"] + orders - alerts
    assert value("orderapp_fraud_verdicts_total", verdict="clear") == clear


def test_a_gateway_that_does_not_answer_is_no_payment():
    payments = value("orderapp_payments_total", status="PAID")
    timeouts = value("orderapp_gateway_requests_total", result="timeout")

    metrics.asked("timeout", 3)

    assert value("orderapp_gateway_requests_total", result="timeout") == timeouts + 3
    assert value("orderapp_payments_total", status="PAID") == payments
