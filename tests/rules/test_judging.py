"""Orders are judged by the rules that are not off; one that fails costs its own verdict."""

import logging
import time

import pytest

from orderapp.engine.observe.metrics import REGISTRY
from orderapp.judging import Rules
from orderapp.judging import rules as shipped
from orderapp.models import Order
from orderapp.plugins import PluginError
from orderapp.rule import Rule
from orderapp.window import Seconds, Window


def order(order_id, amount=10.0, country="US"):
    return Order(order_id=order_id, customer_id=1234, amount=amount, country=country)


def large(order, limit: float = 400):
    """A large order."""
    return order.amount > limit


def odd(order):
    """An order with an odd id."""
    return f"{order.order_id} is odd" if order.order_id % 2 else None


def fails(order):
    """A rule with a bug."""
    return 1 / (order.order_id - 2) > 0.5


class Unsure:
    def __bool__(self):
        raise ValueError("neither")


def of(*declared):
    rules = Rules()
    for function, state in declared:
        rules.add(Rule.of(function, state))
    return rules


def found(hits):
    return [(at, rule.id, detail) for at, rule, detail in hits]


def counted(name, **labels):
    if name.startswith("rule_"):
        labels = {"version": "1", "state": "active"} | labels
    return REGISTRY.get_sample_value(f"orderapp_{name}_total", labels) or 0


def test_without_a_rule_every_order_is_clear():
    clear = counted("fraud_verdicts", verdict="clear")

    assert of().judge([order(1), order(2)]) == []
    assert of().judge([]) == of((large, "active")).judge([]) == []
    assert counted("fraud_verdicts", verdict="clear") == clear + 2


def test_the_shipped_rules_are_those_of_the_walk_through():
    assert {rule.id: rule.state for rule in shipped.all.values()} == {
        "BLOCKED_COUNTRY": "off",
        "BLOCKED_CUSTOMER": "off",
        "CUSTOMER_SPEND": "off",
        "CUSTOMER_VELOCITY": "off",
        "HIGH_AMOUNT_RISKY_COUNTRY": "active",
    }
    hits = shipped.hits([order(1), order(2, 350.0), order(3, 350.0, "DE")])
    assert found(hits) == [(2, "HIGH_AMOUNT_RISKY_COUNTRY", "")]


def test_each_rule_that_finds_an_order_is_a_hit_and_the_order_is_counted_once():
    before = {v: counted("fraud_verdicts", verdict=v) for v in ("alert", "clear")}
    rules = of((odd, "active"), (large, "active"))

    hits = rules.judge([order(2), order(3, 500.0), order(4, 500.0)])

    assert found(hits) == [(1, "LARGE", ""), (1, "ODD", "3 is odd"), (2, "LARGE", "")]
    assert counted("fraud_verdicts", verdict="alert") == before["alert"] + 2
    assert counted("fraud_verdicts", verdict="clear") == before["clear"] + 1


def test_an_order_that_waits_for_an_active_rule_with_a_window_is_counted_when_that_has_judged():
    def often(order, window: Window, seconds: Seconds = 60):
        """A customer's second order."""
        return len(window) > 1

    before = {v: counted("fraud_verdicts", verdict=v) for v in ("alert", "clear")}
    rules = of((large, "active"), (fails, "active"), (often, "active"))
    orders = [order(2), order(3), order(4, 500.0), order(5)]
    failures = counted("rule_failures", rule="FAILS")

    rules.judge(orders[:1])
    assert {v: counted("fraud_verdicts", verdict=v) for v in before} == before
    in_shadow = Rule.of(often, "shadow")
    active = rules.with_window[0].rule
    rules.count_verdicts(orders, [(2, active, ""), (3, active, ""), (0, in_shadow, "")])

    # 3 is found by `fails`, 4 by both, 5 by its window.
    assert counted("fraud_verdicts", verdict="alert") == before["alert"] + 3
    assert counted("fraud_verdicts", verdict="clear") == before["clear"] + 1
    assert counted("rule_failures", rule="FAILS") == failures + 1, "not counted again"


@pytest.mark.parametrize("state", ["shadow", "off"])
def test_no_order_waits_for_a_rule_with_a_window_that_is_not_active(state):
    def often(order, window: Window, seconds: Seconds = 60):
        """A customer's second order."""

    clear = counted("fraud_verdicts", verdict="clear")

    of((often, state)).judge([order(1)])

    assert counted("fraud_verdicts", verdict="clear") == clear + 1


def test_it_is_counted_how_long_a_rule_takes():
    def slow(order):
        """Takes its time."""
        time.sleep(0.01)

    before = counted("rule_seconds", rule="SLOW", state="shadow")

    of((slow, "shadow")).shadow([order(1), order(2)])

    assert 0.02 <= counted("rule_seconds", rule="SLOW", state="shadow") - before < 1


def test_a_rule_that_is_off_is_not_asked():
    asked = []

    def unasked(order):
        """Notes that it was asked."""
        asked.append(order)

    assert of((unasked, "off")).judge([order(1)]) == []
    assert asked == []


def test_a_rule_in_the_shadow_is_counted_and_raises_nothing():
    before = counted("rule_hits", rule="LARGE", state="shadow")

    rules = of((large, "shadow"))

    assert rules.judge([order(1), order(2, 500.0)]) == []
    assert found(rules.shadow([order(1), order(2, 500.0)])) == [(1, "LARGE", "")]
    assert counted("rule_hits", rule="LARGE", state="shadow") == before + 1


@pytest.mark.parametrize("state", ["active", "shadow"])
def test_a_rule_that_raises_costs_its_own_verdict_alone(state, caplog):
    failures = counted("rule_failures", rule="FAILS", state=state)
    rules = of((fails, state), (large, "active"))

    with caplog.at_level(logging.ERROR):
        orders = [order(1), order(2, 500.0), order(3)]
        hits = found(rules.judge(orders))
        assert len(rules.shadow(orders)) == (state == "shadow")

    assert [hit for hit in hits if hit[1] == "LARGE"] == [(1, "LARGE", "")]
    assert [hit for hit in hits if hit[1] == "FAILS"] == [(2, "FAILS", "")] * (
        state == "active"
    )
    assert counted("rule_failures", rule="FAILS", state=state) == failures + 1
    assert "the rule FAILS could not judge order 2: division by zero" in caplog.text


@pytest.mark.parametrize("verdict", [7, ["a list"], Unsure()])
def test_what_is_no_verdict_is_a_failure(verdict, caplog):
    def vague(order):
        """Says neither yes nor no of order 2."""
        return verdict if order.order_id == 2 else True

    with caplog.at_level(logging.ERROR):
        hits = of((vague, "active"), (large, "active")).judge([order(1), order(2, 500.0)])

    assert found(hits) == [(0, "VAGUE", ""), (1, "LARGE", "")]
    assert f"order 2: a {type(verdict).__name__} is no verdict" in caplog.text


def test_the_log_of_a_rule_that_always_fails_has_a_limit(caplog):
    def broken(order):
        """Knows no order."""
        return order.colour == "red"

    with caplog.at_level(logging.ERROR):
        of((broken, "active")).judge([order(n) for n in range(1000)])

    assert len(caplog.records) <= 5
    assert counted("rule_failures", rule="BROKEN") == 1000


def test_two_rules_of_one_id_are_refused_with_both_places():
    with pytest.raises(
        PluginError, match=r"two rules LARGE: rules/test_judging\.py:\d+: large"
    ):
        of((large, "active"), (large, "off"))
