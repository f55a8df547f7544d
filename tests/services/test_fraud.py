"""Fraud: which orders raise an alert."""

import pytest

from orderapp.models import Order
from orderapp.services import fraud as service
from orderapp.services.fraud import fraud, is_risky
from orderapp.testing import run


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


def test_safe_order_raises_no_alert():
    assert run(fraud, [order(10.0, "DE"), order(350.0, "US")]).sent == []


def test_an_alert_says_what_was_risky(monkeypatch):
    monkeypatch.setattr(service, "now", lambda: "2026-11-23T18:00:00.000000Z")

    (sent,) = run(fraud, [order(10.0, "DE"), order(350.0, "DE")]).sent

    assert (sent.topic, sent.key) == ("fraud-alerts", b"7")
    assert sent.value == (
        b'{"order_id":7,"reason":"HIGH_AMOUNT_RISKY_COUNTRY","amount":350.0,"country":"DE",'
        b'"customer_id":1234,"detected_at":"2026-11-23T18:00:00.000000Z","created_at":"t"}'
    )
