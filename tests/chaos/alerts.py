"""Whether orders have the alerts that they have to have, and no others."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.chaos.facts import BY_CUSTOMER, Facts, place_of
from tests.chaos.orders import Order
from tests.chaos.rulebook import LARGE, VELOCITY, Version, finds
from tests.chaos.stores import alert_kind

#: Milliseconds by which an alert may seem to be older than the version that it names.
CLOCKS = 1000
SAME = ("order_id", "customer_id", "amount", "country")

#: By version the details that its alerts may have.
Right = dict[int, set[str]]


def wrong(facts: Facts, order: Order, given_up: set[str]) -> Iterator[str]:
    """What is wrong with an order's alerts."""
    excused = "fraud" in given_up or facts.all_taken("orders", order["order_id"])
    for rule, expected in ((LARGE, _large), (VELOCITY, _fast)):
        right, is_sure = expected(facts, order)
        yield from _of_a_rule(facts, order, rule, right, is_sure=is_sure and not excused)
    is_sent_on = order["order_id"] in facts.rulebook.judged
    if not excused and not is_sent_on and _had_to_be_sent_on(facts, order):
        yield f"order {order['order_id']}: not sent on to {BY_CUSTOMER}"
    for alert in facts.alerts.get(order["order_id"], ()):
        if alert["reason"] not in facts.rulebook.versions:
            yield f"order {order['order_id']}: an alert for no reason that exists: {alert}"


def _large(facts: Facts, order: Order) -> tuple[Right, bool]:
    """What the rule of the contract may have found, and whether it had to."""
    right: Right = {}
    is_sure = False
    for versions, is_taken in _possible(facts, LARGE, order):
        found = [version.number for version in versions if finds(version, order)]
        right |= {number: {""} for number in found}
        is_sure |= len(found) == len(versions) and not is_taken
    return right, is_sure


def _fast(facts: Facts, order: Order) -> tuple[Right, bool]:
    """The same for the rule with a window."""
    right: Right = {}
    is_sure = False
    for at, place, found in facts.rulebook.judged.get(order["order_id"], ()):
        versions = facts.rulebook.possible(VELOCITY, BY_CUSTOMER, place, at)
        possible = [version.number for version in versions if version.number in found]
        for number in possible:
            right.setdefault(number, set()).add(found[number])
        is_sure |= len(possible) == len(versions)
    return right, is_sure


def _had_to_be_sent_on(facts: Facts, order: Order) -> bool:
    return any(
        all(version.state != "off" for version in versions) and not is_taken
        for versions, is_taken in _possible(facts, VELOCITY, order)
    )


def _possible(facts: Facts, rule: str, order: Order) -> Iterator[tuple[list[Version], bool]]:
    """The versions for each record of an order, and whether it was deleted before it was
    committed: it may have been judged nevertheless."""
    for place in facts.orders[order["order_id"]]:
        versions = facts.rulebook.possible(rule, "orders", place, facts.times.get(place, 0))
        yield versions, facts.was_taken("orders", place)


def _of_a_rule(
    facts: Facts, order: Order, rule: str, right: Right, *, is_sure: bool
) -> Iterator[str]:
    order_id, about = order["order_id"], f"order {order['order_id']}, {rule}"
    alerts = [one for one in facts.alerts.get(order_id, ()) if one["reason"] == rule]
    stored = facts.documents.get(alert_kind(rule), {}).get(order_id)
    facts.alerts_of[rule] += bool(alerts)
    facts.sure_alerts[rule] += is_sure
    facts.two_versions += len({one.get("rule_version") for one in alerts}) > 1
    if not alerts:
        if is_sure:
            yield f"{about}: no alert"
        elif stored:
            yield f"{about}: an alert is stored that was never sent: {stored}"
    elif stored is None:
        if not all(facts.was_taken("fraud-alerts", place_of(alert)) for alert in alerts):
            yield f"{about}: its alert is not stored"
    elif any(not _fits(facts, order, alert, right) for alert in (*alerts, stored)):
        yield f"{about}: alerts {alerts}, stored {stored}, right {right}"


def _fits(facts: Facts, order: Order, alert: dict[str, Any], right: Right) -> bool:
    number = alert["rule_version"]
    if alert["detail"] not in right.get(number, ()):
        return False
    detected = datetime.fromisoformat(alert["detected_at"]).timestamp() * 1000
    since = facts.rulebook.versions[alert["reason"]][number - 1].since
    return detected > since - CLOCKS and all(alert[name] == order[name] for name in SAME)
