"""Which rules are in force follows from the log of changes; all refuse the same records."""

import json
import logging

import pytest

from orderapp.changes import Changes
from orderapp.engine.batches.codec import Json
from orderapp.engine.batches.decoder import Decoder
from orderapp.judging import Rules
from orderapp.models import Amount, Order, RuleChange
from orderapp.rule import Rule
from tests.records import record

TIME = "2026-11-29T18:00:00.000000Z"
ORDER = Order(order_id=7, customer_id=1234, amount=350.0, country="DE", created_at=TIME)


def large(order: Order, limit: Amount = 400.0) -> bool:
    """A large order."""
    return order.amount > limit


def of(rule="LARGE", version=2, state="active", key=None, offset=0, **parameters):
    value = {"rule": rule, "state": state, "version": version, "parameters": parameters}
    data = json.dumps({**value, "changed_at": TIME, "author": "ann"}).encode()
    key = f"rule:{rule}".encode() if key is None else key
    return record(data, key, topic="orderapp-control", offset=offset)


class Log:
    """What rules a process judges by that has read these records, in these parts."""

    def __init__(self, *parts):
        self.rules = Rules()
        self.rules.add(Rule.of(large, "active"))
        self.changes = Changes(self.rules, Decoder(Json(RuleChange)).one)
        for number, records in enumerate(parts):
            self.changes.take(records, not number)

    @property
    def rule(self):
        return self.rules.all["LARGE"]

    def found(self):
        return [(rule.version, detail) for _, rule, detail in self.rules.hits([ORDER])]


def test_without_a_record_the_rules_are_those_of_the_files():
    log = Log([])

    assert log.rules.all == log.rules.declared
    assert log.found() == []


def test_the_next_order_is_judged_by_a_change():
    log = Log([])
    log.changes.take([of(limit=300)], False)

    assert log.found() == [(2, "")]


def test_the_last_change_holds_however_the_log_is_read_and_the_same_after_a_new_reading():
    records = [
        of(limit=300),
        of(version=3, state="shadow", limit=200),
        of(version=4, limit=100),
    ]
    log = Log(records[:1], records[1:2], records[2:])

    log.changes.take(records, True)

    assert log.rule == Log(records).rule
    assert (log.rule.version, log.rule.written()) == (4, {"limit": 100.0})
    assert [change.version for change in log.changes.taken] == [2, 3, 4]
    log.changes.take([], True)
    assert log.rules.all == log.rules.declared


@pytest.mark.parametrize("state", ["shadow", "off"])
def test_a_rule_that_is_not_active_raises_no_alert(state):
    log = Log([of(state=state, limit=300)])

    assert log.found() == []
    assert [rule.version for _, rule, _ in log.rules.shadow([ORDER])] == [2] * (
        state == "shadow"
    )


def test_parameters_that_a_change_does_not_name_have_their_defaults():
    assert Log([of(limit=300), of(version=3)]).rule.written() == {"limit": 400.0}


KEY = b"rule:LARGE"
BAD = {
    "no JSON": (record(b"{", KEY), "Input data was truncated"),
    "a tombstone": (record(None, KEY), "the record has no value"),
    "no key": (record(b"{}", None), "the record has no key"),
    "a field is missing": (record(b"{}", KEY), "missing required field `rule`"),
    "another key": (of(key=b"rule:SMALL", version=3), "and not 'rule:LARGE'"),
    "an unknown rule": (of("SMALL"), "there is no rule 'SMALL'"),
    "an unknown state": (of(version=3, state="on"), "Invalid enum value 'on'"),
    "the same version": (of(version=2, limit=1), "LARGE has version 2, and the next one is"),
    "a later version": (of(version=4, limit=1), "the next one is not 4"),
    "out of bounds": (of(version=3, limit=-1), "LARGE: limit=-1 is not allowed"),
    "of another type": (of(version=3, limit="1"), "LARGE: limit='1' is not allowed"),
    "an unknown parameter": (of(version=3, colour="red"), "LARGE has no parameter colour"),
}


@pytest.mark.parametrize(("bad", "said"), BAD.values(), ids=BAD)
def test_a_bad_record_is_refused_in_a_line_and_the_last_good_one_holds(bad, said, caplog):
    with caplog.at_level(logging.ERROR):
        log = Log([of(limit=300), bad, of(version=3, limit=200)])

    # The one behind it follows on the last good one.
    assert (log.rule.version, log.rule.written()) == (3, {"limit": 200.0})
    (line,) = caplog.messages
    assert said in line
    assert line.startswith(f"{bad.topic}[0]@{bad.offset} is refused: ")
    assert "\n" not in line


def test_what_is_changed_besides_rules_is_nothing_to_them(caplog):
    with caplog.at_level(logging.ERROR):
        Log([record(b"{", b"fault:poison", topic="orderapp-control")])

    assert caplog.messages == []
