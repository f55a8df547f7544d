"""Fraud: which orders raise an alert."""

from orderapp.judging import Rules
from orderapp.models import Order
from orderapp.rule import Rule
from orderapp.services import fraud as service
from orderapp.services.fraud import fraud
from orderapp.testing import run


def order(amount, country):
    return Order(order_id=7, customer_id=1234, amount=amount, country=country, created_at="t")


def test_safe_order_raises_no_alert():
    assert run(fraud, [order(10.0, "DE"), order(350.0, "US")]).sent == []


def test_an_alert_says_what_was_risky(monkeypatch):
    monkeypatch.setattr(service, "now", lambda: "2026-11-23T18:00:00.000000Z")

    (sent,) = run(fraud, [order(10.0, "DE"), order(350.0, "DE")]).sent

    assert (sent.topic, sent.key) == ("fraud-alerts", b"7")
    assert sent.value == (
        b'{"order_id":7,"reason":"HIGH_AMOUNT_RISKY_COUNTRY","amount":350.0,"country":"DE",'
        b'"customer_id":1234,"detected_at":"2026-11-23T18:00:00.000000Z","created_at":"t",'
        b'"rule_version":1,"detail":""}'
    )


def test_each_rule_that_finds_an_order_raises_an_alert(monkeypatch):
    def odd(order):
        """An order with an odd id."""
        return "7 is\nodd" if order.order_id % 2 == 1 else None

    rules = Rules()
    for rule in (*service.rules.all.values(), Rule.of(odd, "active")):
        rules.add(rule)
    monkeypatch.setattr(service, "rules", rules)

    alerts = run(fraud, [order(350.0, "DE"), order(10.0, "DE")]).messages

    assert [(alert.reason, alert.rule_version, alert.detail) for alert in alerts] == [
        ("HIGH_AMOUNT_RISKY_COUNTRY", 1, ""),
        ("ODD", 1, "7 is\\nodd"),
        ("ODD", 1, "7 is\\nodd"),
    ]
