"""What rules with a window had to find is computed anew from the log."""

import pytest

from orderapp import control, topics
from orderapp.models import Order
from orderapp.reconcile import facts
from orderapp.reconcile.case import FRAUD, NOT_KNOWN, WINDOW
from orderapp.reconcile.windows import TOPIC, ByWindows
from tests.records import record

RULE = "CUSTOMER_VELOCITY"
START = 1_000_000


@pytest.fixture
def changed():
    """Changes the rule, at these times in ms."""
    log = []

    def change(at, state, **parameters):
        made = topics.control.message(
            rule=RULE,
            state=state,
            version=len(log) + 2,
            parameters=parameters,
            changed_at="2026-11-29T18:00:00Z",
        )
        value, key = topics.control.codec.encode(made), f"rule:{RULE}".encode()
        log.append(record(value, key, topic=control.TOPIC, offset=len(log), timestamp=at))
        control.changes.take(log, True)

    yield change
    control.changes.take([], True)


def orders(*times, first=1, customer=1234, begin=0):
    """The log: an order at each of these seconds."""
    found = []
    for n, at in enumerate(times):
        order = Order(first + n, customer, 10.0, "DE", "2026-11-23T18:30:00.000000Z")
        value, key = topics.orders_by_customer.codec.encode(order), str(customer).encode()
        place = {"topic": TOPIC, "offset": begin + n, "timestamp": START + round(at * 1000)}
        found.append(record(value, key, partition=2, **place))
    return found


def judged(*logs):
    found = ByWindows(facts.in_force())
    made = [fact for log in logs for fact in found.facts_of(log)]
    return {fact.order_id: fact.reasons for fact in made}


def test_there_is_nothing_to_judge_while_no_such_rule_was_ever_active(changed):
    assert not ByWindows(facts.in_force())
    changed(0, "shadow", limit=1)
    assert not ByWindows(facts.in_force())
    changed(0, "active", limit=1)
    assert ByWindows(facts.in_force())
    changed(0, "off", limit=1)
    assert ByWindows(facts.in_force())


def test_what_is_found_does_not_depend_on_how_it_is_read(changed):
    changed(0, "active", limit=2, seconds=10)
    log = orders(0, 1, 2, 20, 21, 22, 23)

    assert (
        judged(log)
        == judged(log[:2], log[2:6], log[6:])
        == dict.fromkeys([3, 6, 7], f"{RULE}@2")
    )
    (fact, *_) = ByWindows(facts.in_force()).facts_of(log)
    assert (fact.kind, fact.partition, fact.offset, fact.state) == (WINDOW, 2, 2, FRAUD)


def test_an_order_may_have_been_judged_by_the_versions_since_it_was_sent(changed):
    changed(0, "active", limit=1, seconds=10)
    changed(START + 15_000, "active", limit=2, seconds=10)

    # Until a minute after the change workers may judge by the version before.
    assert judged(orders(0, 1, 2), orders(100, 101, 102, first=4, begin=3)) == {
        2: f"?{RULE}@2",
        3: f"{RULE}@2,{RULE}@3",
        6: f"{RULE}@3",
    }


def test_a_rule_that_was_switched_off_may_have_found_it(changed):
    changed(0, "active", limit=1, seconds=10)
    changed(START + 15_000, "off", limit=1, seconds=10)

    assert judged(orders(0, 1, 100, 101)) == {2: f"?{RULE}@2"}


def test_where_records_are_deleted_the_first_windows_are_not_known(changed):
    changed(0, "active", limit=1, seconds=10)
    found = ByWindows(facts.in_force())
    found.begins_late(START)

    assert [fact.order_id for fact in found.facts_of(orders(0, 1, 9.5, 10, 11))] == [4, 5]
    said = b'{"order_id":2,"reason":"%s","amount":10,"country":"DE","customer_id":1234,'
    said += b'"detected_at":"2026-11-23T18:30:00Z"}'
    for reason, at, state in (
        (RULE, 1000, NOT_KNOWN),
        (RULE, 10_000, 0),
        ("HIGH_AMOUNT_RISKY_COUNTRY", 1000, 0),
    ):
        one = record(said % reason.encode(), topic="fraud-alerts", timestamp=START + at)
        ((fact,), _) = facts.facts_of([one], None, found.known_from)
        assert fact.state == state
