"""Fraud: which orders raise an alert."""

import pytest

from orderapp.models import Order
from orderapp.services.fraud import alert_for, encode, is_risky


def order(amount, country):
    return Order(order_id=7, customer_id=1234, amount=amount, country=country, created_at="t")


@pytest.mark.parametrize(
    ("amount", "country", "risky"),
    [
        (10, "DE", False),
        (300, "DE", False),
        (350, "US", False),
        (350, "CA", False),
        (300.01, "DE", True),
        (350, "IN", True),
        (350, "GB", True),
        (350, "us", True),  # an unknown country is not a safe one
    ],
)
def test_large_orders_from_other_countries_are_risky(amount, country, risky):
    assert is_risky(order(amount, country)) is risky


def test_an_alert_says_what_was_risky():
    alert = alert_for(order(350.0, "DE"), "2026-11-23T18:00:00.000000Z")

    assert encode(alert) == (
        b'{"order_id":7,"reason":"HIGH_AMOUNT_RISKY_COUNTRY","amount":350.0,"country":"DE",'
        b'"customer_id":1234,"detected_at":"2026-11-23T18:00:00.000000Z","created_at":"t"}'
    )
