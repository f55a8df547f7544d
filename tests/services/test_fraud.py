"""Fraud: which orders raise an alert."""

import pytest

from orderapp import alerts as sending
from orderapp import fraud_windows as windows
from orderapp.engine.observe.metrics import REGISTRY
from orderapp.judging import Rules
from orderapp.memory import Memory
from orderapp.models import Order
from orderapp.rule import Rule
from orderapp.services import fraud as service
from orderapp.services.fraud import fraud, fraud_windows
from orderapp.testing import record, run
from orderapp.window import Seconds, Window


def order(amount, country):
    return Order(order_id=7, customer_id=1234, amount=amount, country=country, created_at="t")


def test_safe_order_raises_no_alert():
    assert run(fraud, [order(10.0, "DE"), order(350.0, "US")]).sent == []


def test_an_alert_says_what_was_risky(monkeypatch):
    monkeypatch.setattr(sending, "now", lambda: "2026-11-23T18:00:00.000000Z")

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


def put(monkeypatch, state):
    """Let one rule be in force: more than two orders of a customer."""
    rules = Rules()
    rules.add(service.rules.declared["CUSTOMER_VELOCITY"].changed(state, 2, {"limit": 2}))
    for module in (service, windows):
        monkeypatch.setattr(module, "rules", rules)
    monkeypatch.setattr(windows, "memory", Memory("orders-by-customer", object, None))


def by_customer(*times):
    """Records of orders of a customer, at these times in ms."""
    return [
        record(
            b'{"order_id":%d,"customer_id":1234,"amount":10,"country":"DE","created_at":'
            b'"2026-11-23T18:00:00.000000Z"}' % order_id,
            key=b"1234",
            topic="orders-by-customer",
            offset=order_id,
            timestamp=at,
        )
        for order_id, at in enumerate(times)
    ]


@pytest.mark.parametrize(("state", "sent_on"), [("off", 0), ("shadow", 2), ("active", 2)])
def test_orders_are_sent_on_by_customer_while_a_rule_with_a_window_is_not_off(
    monkeypatch, state, sent_on
):
    put(monkeypatch, state)
    values = [
        record(
            b'{"order_id":%d,"customer_id":1234,"amount":10,"country":"DE"}' % n, timestamp=n
        )
        for n in (1, 2)
    ]

    sent = [one for one in run(fraud, values).sent if one.topic == "orders-by-customer"]

    assert [(one.key, one.partition, one.timestamp) for one in sent] == [
        (b"1234", None, 1),
        (b"1234", None, 2),
    ][:sent_on]
    assert [one.message.order_id for one in sent] == [1, 2][:sent_on]


@pytest.mark.parametrize(
    ("state", "topic"), [("active", "fraud-alerts"), ("shadow", "fraud-alerts-shadow")]
)
def test_an_order_that_is_found_by_its_window_is_told(monkeypatch, state, topic):
    put(monkeypatch, state)

    (sent,) = run(fraud_windows, by_customer(1000, 2000, 3000, 70_000)).sent

    # Its key says where it goes: to where the order is.
    assert (sent.topic, sent.key, sent.partition, sent.timestamp) == (topic, b"2", None, 3000)
    alert = sent.message
    assert (alert.reason, alert.rule_version) == ("CUSTOMER_VELOCITY", 2)
    assert (alert.order_id, alert.detail) == (2, "3 orders in 60 s")


@pytest.mark.parametrize("state", ["active", "shadow"])
def test_an_order_that_an_active_rule_with_a_window_cannot_judge_is_marked(monkeypatch, state):
    def gaps(order, window: Window, seconds: Seconds = 60):
        """Two orders at the same time."""
        before = window[0].at if len(window) > 1 else 0
        return 1 / (window[-1].at - before) > 1

    rules = Rules()
    rules.add(Rule.of(gaps, state))
    monkeypatch.setattr(windows, "rules", rules)
    monkeypatch.setattr(windows, "memory", Memory("orders-by-customer", object, None))

    first, second = by_customer(1000, 1000), by_customer(1000, 1000, 2000, 3000)[2:]
    sent = run(fraud_windows, first).sent
    # Said once: the next batch has no such order.
    assert run(fraud_windows, second).sent == []

    assert [one.topic for one in sent] == ["fraud-alerts-shadow"] * (state == "active")
    for one in sent:
        assert (one.key, one.timestamp, one.message.reason) == (b"1", 1000, "GAPS")
        assert (one.message.failed, one.message.detail) == (True, "division by zero")


def test_the_verdicts_count_what_is_found_by_windows(monkeypatch):
    def verdicts():
        of = [{"verdict": verdict} for verdict in ("alert", "clear")]
        return [REGISTRY.get_sample_value("orderapp_fraud_verdicts_total", v) for v in of]

    put(monkeypatch, "active")
    alerts, clear = verdicts()

    run(fraud, [order(10.0, "DE")])
    assert verdicts() == [alerts, clear], "it waits for its window"
    run(fraud_windows, by_customer(1000, 2000, 3000, 70_000))

    assert verdicts() == [alerts + 1, clear + 3]


def test_what_was_sent_on_is_left_when_the_rule_is_off(monkeypatch):
    put(monkeypatch, "off")

    assert run(fraud_windows, by_customer(1000, 2000, 3000)).sent == []
