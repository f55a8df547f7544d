"""The rule of `reconcile`, case by case; then what is read and how it is told."""

import asyncio
import contextlib
import itertools
import json

import pytest

from orderapp import control
from orderapp.commands import reconcile
from orderapp.engine.dead_letters.headers import headers_for, replay_headers
from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.dead_letters.resolutions import (
    Resolution,
    encode_resolution,
    read_resolution,
)
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.errors import FatalError
from orderapp.judging import Rules
from orderapp.reconcile import facts, rule
from orderapp.reconcile.case import (
    ALERT,
    ALERT_DOCUMENT,
    ANALYTICS,
    DEAD_LETTER,
    DECLINED,
    DROPPED,
    EVERYONE,
    EXPIRED,
    FRAUD,
    NO_REASON,
    NOT_KNOWN,
    OLDER,
    ORDER,
    ORDER_DOCUMENT,
    PAID,
    PAYING,
    PAYMENT,
    PAYMENT_DOCUMENT,
    REPLAY,
    RISKY,
    WINDOW,
    Bounds,
    Case,
    Fact,
)
from orderapp.reconcile.check import Check
from orderapp.reconcile.dead_letters import dead_letter, no_order, origin_of, resolution
from orderapp.reconcile.evidence import Evidence
from orderapp.reconcile.findings import APART, DISAGREEMENTS, MAY_PASS
from orderapp.reconcile.progress import Progress
from orderapp.reconcile.report import Report
from orderapp.reconcile.rule import judge
from orderapp.rule import Rule
from tests.records import record
from tests.store import examples

#: Of each topic; partition 1 holds 10 to 99, of which those below 80 are sure, and more came
#: up to 119 while the store was read.
BOUNDS = Bounds({1: 10}, {1: 100}, {1: 80}, {1: 120})


def fact(
    kind, offset=20, state=0, *, amount=5.0, content=1, digest=1, payment_id=None, reasons=""
):
    found = Fact(7, kind, 1, offset, state, amount, content, digest, payment_id)
    versions = [name if "@" in name else f"{name}@1" for name in reasons.split(",")]
    return found._replace(reasons=",".join(versions))


def order(offset=20, state=EVERYONE, **more):
    return fact(ORDER, offset, state, **more)


def expired(state=0):
    return order(state=EVERYONE | EXPIRED | state)


def risky(offset=20, state=EVERYONE, **more):
    return fact(ORDER, offset, state | RISKY, **more)


def payment(offset=20, state=PAID, payment_id="pay-7", **more):
    return fact(PAYMENT, offset, state, payment_id=payment_id, **more)


def dead(services, offset=3):
    return fact(DEAD_LETTER, offset, services)


ALERTED = [fact(ALERT), fact(ALERT_DOCUMENT)]


def alerted(*reasons):
    kinds = (ALERT, ALERT_DOCUMENT)
    return [fact(kind, 20 + i, reasons=r) for i, r in enumerate(reasons) for kind in kinds]


def by_window(*reasons):
    return fact(WINDOW, state=FRAUD, reasons=",".join(reasons))


STORED = fact(ORDER_DOCUMENT)
CHARGED = [payment(), fact(PAYMENT_DOCUMENT)]
OTHER = {"content": 2, "digest": 2, "amount": 6.0}

CASES = {
    # -- nothing is wrong
    "an order with all that it needs": ([order(), STORED, *CHARGED], []),
    "a risky one": ([risky(), STORED, *CHARGED, *ALERTED], []),
    "found by two rules": (
        [risky(reasons="A,B"), STORED, *CHARGED, *alerted("A", "B")],
        [],
    ),
    "found by two rules, one alert missing": (
        [risky(reasons="A,B"), STORED, *CHARGED, *alerted("B")],
        ["missing_alert"],
    ),
    "found by two rules, both alerts missing": (
        [risky(reasons="A,B"), STORED, *CHARGED],
        ["missing_alert"],
    ),
    "found by some of a rule's versions, with an alert": (
        [risky(reasons="?A"), STORED, *CHARGED, *alerted("A")],
        [],
    ),
    "found by some of a rule's versions, without": (
        [risky(reasons="?A"), STORED, *CHARGED],
        [],
    ),
    "found by some of a rule's versions, and by all of another's, which has no alert": (
        [risky(reasons="?A,B"), STORED, *CHARGED, *alerted("A")],
        ["missing_alert"],
    ),
    "an alert of one of the versions by which it may have been judged": (
        [risky(reasons="A@1,A@3"), STORED, *CHARGED, *alerted("A@3")],
        [],
    ),
    "an alert of a version that does not find it, though another one does": (
        [risky(reasons="A@1,A@3"), STORED, *CHARGED, *alerted("A@2")],
        ["wrong_alert"],
    ),
    "an alert that does not say of which version it is": (
        [risky(reasons="A@1,A@3"), STORED, *CHARGED, *alerted("A@0")],
        [],
    ),
    "an alert of a version that finds another order of this id": (
        [
            *(risky(reasons="A@1"), risky(30, content=2, digest=2, reasons="A@2")),
            *(fact(ORDER_DOCUMENT, 30, content=2, digest=2), *CHARGED, *alerted("A@2")),
        ],
        ["repeated", "wrong_alert"],
    ),
    "an alert of a rule that does not find it": (
        [risky(reasons="A"), STORED, *CHARGED, *alerted("A", "B")],
        ["wrong_alert"],
    ),
    "an alert of a rule that does not find it instead of one that does": (
        [risky(reasons="A"), STORED, *CHARGED, *alerted("B")],
        ["missing_alert", "wrong_alert"],
    ),
    "found by two rules, one document missing": (
        [risky(reasons="A,B"), STORED, *CHARGED, *alerted("A", "B")[:-1]],
        ["alert_without_document"],
    ),
    "found by a rule with a window": (
        [order(), STORED, *CHARGED, *alerted("A"), by_window("A")],
        [],
    ),
    "found by a rule with a window and by another one": (
        [risky(reasons="B"), STORED, *CHARGED, *alerted("A", "B"), by_window("A")],
        [],
    ),
    "found by a rule with a window, without alert": (
        [order(), STORED, *CHARGED, by_window("A")],
        ["missing_alert"],
    ),
    "found by some versions of a rule with a window, without alert": (
        [order(), STORED, *CHARGED, by_window("?A")],
        [],
    ),
    "an alert of a rule with a window that does not find it": (
        [order(), STORED, *CHARGED, *alerted("A")],
        ["wrong_alert"],
    ),
    "an alert of a rule whose window is not known any more": (
        [order(), STORED, *CHARGED, fact(ALERT, state=NOT_KNOWN), fact(ALERT_DOCUMENT)],
        [],
    ),
    "found by a rule with a window, in another topic than orders alone": (
        [by_window("A")],
        [],
    ),
    "declined": ([order(), STORED, payment(state=DECLINED), fact(PAYMENT_DOCUMENT)], []),
    "sent twice, document of the second": (
        [order(20), order(21), fact(ORDER_DOCUMENT, 21), *CHARGED],
        ["repeated"],
    ),
    "sent twice, document of the first, which says the same": (
        [order(20), order(21), STORED, *CHARGED],
        ["repeated"],
    ),
    "sent twice, charged twice with the same id": (
        [order(), STORED, payment(20), payment(21), fact(PAYMENT_DOCUMENT, 21)],
        [],
    ),
    "charged twice, document of the first, which differs in its time": (
        [order(), STORED, payment(20), payment(21, digest=2), fact(PAYMENT_DOCUMENT, 20)],
        [],
    ),
    "sent with other contents, each charged, document of the last": (
        [
            *[order(20), risky(21, **OTHER), fact(ORDER_DOCUMENT, 21, **OTHER)],
            *[payment(20), payment(21, amount=6.0), fact(PAYMENT_DOCUMENT, 20)],
            *[fact(ALERT, **OTHER), fact(ALERT_DOCUMENT, **OTHER)],
        ],
        ["repeated"],
    ),
    # -- on its way while the topics are read
    "a document of a record that came later": (
        [order(), fact(ORDER_DOCUMENT, 100, **OTHER), *CHARGED],
        [],
    ),
    "only a document, of an order that came later": ([fact(ORDER_DOCUMENT, 119)], []),
    "effects of an order that came later": (
        [*[payment(80), fact(ALERT, 99)], *[fact(k, 99) for k in (ALERT_DOCUMENT,)]],
        [],
    ),
    "an alert of an order that came later, of one with the same id": (
        [
            order(),
            STORED,
            *CHARGED,
            fact(ALERT, 90, **OTHER),
            fact(ALERT_DOCUMENT, 90, **OTHER),
        ],
        [],
    ),
    # -- older than what the topics have
    "an order that its topic has no more": ([fact(ORDER_DOCUMENT, 9)], ["retired"]),
    "one with a payment": ([fact(ORDER_DOCUMENT, 9), *CHARGED], ["retired"]),
    "effects that their topics have no more": (
        [risky(), STORED, fact(ALERT_DOCUMENT, 9), fact(PAYMENT_DOCUMENT, 9)],
        [],
    ),
    # -- so old that the documents may have expired
    "an order whose documents have expired": ([expired(), payment()], ["expired"]),
    "one with an alert": ([expired(RISKY), payment(), fact(ALERT)], ["expired"]),
    "one whose document has not": ([expired(), STORED, *CHARGED], []),
    "one whose payment's document is left": ([expired(), *CHARGED], ["expired"]),
    "one with another document": (
        [expired(), fact(ORDER_DOCUMENT, **OTHER), *CHARGED],
        ["document_differs"],
    ),
    "one that was not charged": ([expired()], ["expired", "order_without_payment"]),
    "one whose dead letter waits": (
        [expired(), fact(DEAD_LETTER, state=ANALYTICS), payment()],
        ["waiting_analytics"],
    ),
    "one that was sent again since": (
        [expired(), order(21), payment()],
        ["repeated", "order_without_document", "payment_without_document"],
    ),
    # -- missing
    "nothing but the order": (
        [risky()],
        ["order_without_document", "missing_alert", "order_without_payment"],
    ),
    "no document": ([order(), *CHARGED], ["order_without_document"]),
    "no payment": ([order(), STORED], ["order_without_payment"]),
    "no alert": ([risky(), STORED, *CHARGED], ["missing_alert"]),
    "no alert for one of two contents": (
        [order(20), risky(21), fact(ORDER_DOCUMENT, 21), *CHARGED],
        ["repeated", "missing_alert"],
    ),
    "no document of the payment": ([order(), STORED, payment()], ["payment_without_document"]),
    "no document of the alert": (
        [risky(), STORED, *CHARGED, fact(ALERT)],
        ["alert_without_document"],
    ),
    # -- wrong
    "two payment ids": (
        [order(), STORED, *CHARGED, payment(19, payment_id="x")],
        ["order_charged_twice"],
    ),
    "two payment ids, and no order": (
        [payment(), payment(21, payment_id="x")],
        ["order_charged_twice", "payment_without_order"],
    ),
    "another amount": (
        [order(), STORED, payment(amount=6.0), fact(PAYMENT_DOCUMENT)],
        ["wrong_payment"],
    ),
    "a status that does not exist": (
        [order(), STORED, payment(state=0), fact(PAYMENT_DOCUMENT)],
        ["wrong_payment"],
    ),
    "both paid and declined": (
        [order(), STORED, *CHARGED, payment(19, DECLINED)],
        ["wrong_payment"],
    ),
    "an alert for a safe order": ([order(), STORED, *CHARGED, *ALERTED], ["wrong_alert"]),
    "an alert with other contents": (
        [risky(), STORED, *CHARGED, fact(ALERT, content=2), fact(ALERT_DOCUMENT, content=2)],
        ["wrong_alert"],
    ),
    "an alert for no reason that exists": (
        [risky(), STORED, *CHARGED, fact(ALERT, state=NO_REASON), fact(ALERT_DOCUMENT)],
        ["wrong_alert"],
    ),
    "the document of the first of two contents": (
        [order(20), order(21, content=2, digest=2), STORED, *CHARGED],
        ["repeated", "document_differs"],
    ),
    "a document of another place": (
        [order(), fact(ORDER_DOCUMENT, 21), *CHARGED],
        ["document_differs"],
    ),
    "a document of a place that does not exist": (
        [order(), fact(ORDER_DOCUMENT, 120), *CHARGED],
        ["document_differs"],
    ),
    "a document of a payment that says something else": (
        [order(), STORED, payment(), fact(PAYMENT_DOCUMENT, digest=2)],
        ["document_differs"],
    ),
    "a document of an alert that is in no topic": (
        [order(), STORED, *CHARGED, fact(ALERT_DOCUMENT)],
        ["document_without_record"],
    ),
    # -- nobody ordered it
    "a document": ([STORED], ["document_without_order"]),
    "a document of a place that does not exist, and no order": (
        [fact(ORDER_DOCUMENT, 120)],
        ["document_without_order"],
    ),
    "a payment": ([payment()], ["payment_without_order"]),
    "an alert and its document": (ALERTED, ["alert_without_order", "document_without_order"]),
    # -- dead letters
    "payment gave it up": ([order(), STORED, dead(PAYING)], ["waiting_payment"]),
    "another service gave it up": ([order(), STORED, dead(FRAUD)], ["order_without_payment"]),
    "nobody's dead letter": ([order(), STORED, dead(0)], ["order_without_payment"]),
    "a dead letter was dropped": ([order(), STORED, dead(PAYING | DROPPED)], ["dropped"]),
    "a dead letter waits although it is charged": (
        [order(), STORED, *CHARGED, dead(PAYING)],
        [],
    ),
    "all gave it up": (
        [risky(), dead(EVERYONE)],
        ["waiting_analytics", "waiting_fraud", "waiting_payment"],
    ),
    "a replay for payment, charged": (
        [order(20), order(30, PAYING | REPLAY), STORED, *CHARGED],
        [],
    ),
    "a replay for payment, not charged": (
        [order(20), order(30, PAYING | REPLAY), STORED],
        ["order_without_payment"],
    ),
    "only the replay for payment is in the topic": ([order(30, PAYING | REPLAY), *CHARGED], []),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_rule(given, expected):
    case = Case(sorted(given, key=lambda each: each[1:4]))

    assert expected == list(judge(case, BOUNDS, BOUNDS, BOUNDS))


def test_every_subset_of_facts_is_judged_without_an_error():
    all_facts = [
        *[order(), risky(21), order(30, FRAUD | REPLAY, **OTHER), STORED, *ALERTED, *CHARGED],
        *[payment(90, 0, "x"), dead(ANALYTICS), fact(ORDER_DOCUMENT, 119)],
    ]
    known = {*DISAGREEMENTS, *APART}
    for size in range(1, len(all_facts) + 1):
        for some in itertools.combinations(all_facts, size):
            case = Case(sorted(some, key=lambda each: each[1:4]))
            assert known.issuperset(judge(case, BOUNDS, BOUNDS, BOUNDS))


@pytest.mark.parametrize("given", [given for given, _ in CASES.values()], ids=CASES)
def test_the_short_way_for_usual_orders_changes_nothing(monkeypatch, given):
    variants = [
        given,
        [*given, payment()],
        [each for each in given if each.kind != DEAD_LETTER],
    ]
    cases = [Case(sorted(some, key=lambda each: each[1:4])) for some in variants]
    quick = [list(judge(case, BOUNDS, BOUNDS, BOUNDS)) for case in cases]

    monkeypatch.setattr(rule, "_is_usual", lambda *_: False)

    assert quick == [list(judge(case, BOUNDS, BOUNDS, BOUNDS)) for case in cases]


def test_what_may_pass_is_a_disagreement():
    assert DISAGREEMENTS.keys() > MAY_PASS


# -- what is read -----------------------------------------------------------------------


def order_record(order_id=7, amount=400.0, country="IN", **more):
    value = {"order_id": order_id, "customer_id": 1234, "amount": amount, "country": country}
    value["created_at"] = "2025-06-01T12:00:00.000000Z"
    return record(json.dumps(value).encode(), b"%d" % order_id, **more)


def buried(original, service="payment"):
    headers = headers_for(original, Failure(service, ValueError("no")))
    return record(original.value, original.key, topic="orders-dlq", offset=5, headers=headers)


@pytest.mark.parametrize(("before", "bit"), [(None, 0), (1000, 0), (1001, EXPIRED)])
def test_an_order_from_before_the_expiry_is_marked(before, bit):
    ((found,), _) = facts.facts_of([order_record(7, 450.25, timestamp=1000)], before)

    assert found.state == EVERYONE | RISKY | bit


def test_an_order_and_its_document_say_the_same():
    found, bad = facts.facts_of([order_record(7, 450.25, partition=3, offset=41)])
    document = facts.document_fact(examples.order(7))

    assert (len(found), bad) == (1, [])
    assert found[0].state == EVERYONE | RISKY
    assert (found[0].digest, found[0][2:4]) == (document.digest, document[2:4])


@pytest.mark.parametrize(
    ("sent", "stored_at", "may_differ"),
    [
        (-1, "2026-11-23T18:00:00.000000Z", True),
        (4_102_444_800_000, "2026-11-23T18:00:00.000000Z", True),
        (4_102_444_800_000, "2100-01-01T00:00:00.000000Z", False),
        (1_795_456_800_000, "2026-11-23T18:00:00.000000Z", False),
        (4_102_444_800_000, "", False),
    ],
)
def test_the_time_of_an_order_whose_record_has_none_is_not_compared(
    sent, stored_at, may_differ
):
    changed = {"kafka_timestamp": sent, "stored_at": stored_at, "created_at": "another"}
    document = facts.document_fact(examples.order(7, **changed))
    made_from = facts.document_fact(examples.order(7))._replace(kind=ORDER, state=EVERYONE)

    found = set(judge(Case([made_from, document, *CHARGED]), BOUNDS, BOUNDS, BOUNDS))

    assert ("document_differs" in found) is not may_differ


def alert_record(reason):
    alert = json.loads(order_record(7).value) | {"reason": reason, "detected_at": "t"}
    return record(json.dumps(alert).encode(), topic="fraud-alerts")


def test_an_alert_repeats_what_its_order_says():
    (told,), _ = facts.facts_of([alert_record("HIGH_AMOUNT_RISKY_COUNTRY")])
    (ordered,), _ = facts.facts_of([order_record(7)])

    assert ordered.content == told.content
    assert told.state == 0


def test_an_order_says_which_rules_find_it():
    def odd(order):
        """An order with an odd id."""
        return order.order_id % 2 == 1

    rules = Rules()
    for one in (*facts.rules.all.values(), Rule.of(odd, "active")):
        rules.add(one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "rules", rules)
        found, _ = facts.facts_of([order_record(7), order_record(8), order_record(9, amount=5)])

    assert [one.reasons for one in found] == [
        "HIGH_AMOUNT_RISKY_COUNTRY@1,ODD@1",
        "HIGH_AMOUNT_RISKY_COUNTRY@1",
        "ODD@1",
    ]
    assert all(one.state & RISKY for one in found)


@pytest.fixture
def raised_limit():
    """At 100 s of Unix time the limit was raised from 300 to 400."""
    name = "HIGH_AMOUNT_RISKY_COUNTRY"
    change = control.topics.control.message(
        rule=name,
        state="active",
        version=2,
        parameters={"limit": 400},
        changed_at="2026-11-29T18:00:00Z",
    )
    value, key = control.topics.control.codec.encode(change), f"rule:{name}".encode()
    place = {"topic": control.TOPIC, "timestamp": 100_000}
    control.changes.take([record(value, key, **place)], True)
    yield name
    control.changes.take([], True)


@pytest.mark.parametrize(
    ("amount", "timestamp", "by"),
    [
        (350.0, 50_000, "?{}@1"),
        (450.0, 50_000, "{0}@1,{0}@2"),
        (350.0, 130_000, "?{}@1"),  # a worker with another clock
        (350.0, 200_000, ""),
        (450.0, 200_000, "{}@2"),
    ],
)
def test_an_order_may_have_been_judged_by_the_versions_since_it_was_sent(
    raised_limit, amount, timestamp, by
):
    (found,), _ = facts.facts_of([order_record(7, amount, timestamp=timestamp)])

    assert found.reasons == by.format(raised_limit)
    assert bool(found.state & RISKY) == bool(by)


def test_an_alert_has_the_reason_that_the_contract_knows():
    (told,), _ = facts.facts_of([alert_record("BAD_MOOD")])

    assert told.state == NO_REASON


def test_a_replay_is_for_the_services_that_it_names():
    headers = replay_headers(buried(order_record()), ["payment"])
    (found,), _ = facts.facts_of([order_record(headers=headers)])

    assert found.state == PAYING | REPLAY | RISKY


def test_a_record_that_is_no_order_is_known_by_its_place():
    first = record(b"bad", partition=2, offset=9)
    again = record(b"bad", partition=2, offset=30, headers=replay_headers(buried(first), ["x"]))

    found, bad = facts.facts_of([first, again])

    assert found == []
    assert [origin_of(one) for one in bad] == [("orders", 2, 9), ("orders", 2, 9)]


def test_a_replay_made_by_hand_is_a_record_of_its_own():
    by_hand = record(b"bad", partition=2, offset=30, headers=[("replay-for", b"payment")])

    assert origin_of(by_hand) == ("orders", 2, 30)


def test_a_dead_letter_knows_its_order_and_its_services():
    letter = buried(order_record(offset=9), "fraud,payment,loyalty")
    place, found = dead_letter(letter)

    assert place == ("orders", 0, 9)
    assert {(fact.order_id, fact.offset) for fact in found} == {(7, 5)}
    assert {fact.state for fact in found} == {FRAUD, PAYING}


def test_a_dead_letter_of_an_order_that_was_sent_on_by_customer_is_about_that_order():
    value = order_record(7).value
    original = record(value, b"1234", topic="orders-by-customer", offset=9)
    place, found = dead_letter(buried(original, "fraud"))

    assert place == ("orders-by-customer", 0, 9)
    assert [(fact.order_id, fact.state) for fact in found] == [(7, FRAUD)]


def test_a_dead_letter_that_is_no_order_has_no_fact():
    assert dead_letter(buried(record(b"\xff", offset=9))) == (("orders", 0, 9), [])


# -- what was done with dead letters ----------------------------------------------------

AT = "2026-11-23T18:00:00.000+00:00"
ALL = "analytics,fraud,payment"


def noted(action, service=ALL, timestamp=0, dropped=None):
    return Resolution(action, AT, service, timestamp, dropped)


NOTES = {
    "nothing": ([], ["waiting_analytics", "waiting_fraud", "waiting_payment"]),
    "replayed for one service": (
        [noted("replayed", "payment", dropped="")],
        ["waiting_analytics", "waiting_fraud", "order_without_payment"],
    ),
    "dropped for one service": (
        [noted("dropped", "fraud", dropped="fraud")],
        ["waiting_analytics", "dropped", "waiting_payment"],
    ),
    "replayed for payment, then dropped": (
        [
            noted("replayed", "payment", dropped=""),
            noted("dropped", dropped="analytics,fraud"),
        ],
        ["dropped", "dropped", "order_without_payment"],
    ),
    "dropped as an earlier version notes it": (
        [noted("dropped")],
        ["dropped", "dropped", "dropped"],
    ),
    "replayed for all": (
        [noted("replayed", dropped="")],
        ["order_without_document", "missing_alert", "order_without_payment"],
    ),
    "dropped, and taken back": (
        [noted("dropped"), None],
        ["waiting_analytics", "waiting_fraud", "waiting_payment"],
    ),
    "a note of the dead letter that lay there before the topic was made anew": (
        [noted("dropped", timestamp=1)],
        ["waiting_analytics", "waiting_fraud", "waiting_payment"],
    ),
}


@pytest.mark.parametrize(("notes", "expected"), NOTES.values(), ids=NOTES)
def test_a_dead_letter_is_done_for_the_services_that_its_notes_name(notes, expected):
    original = order_record(7, 400.0, "IN")
    letter = buried(original, ALL)
    about = [
        record(note and encode_resolution(note), b"0:5", topic="orders-dlq-resolved")
        for note in notes
    ]
    with Evidence() as evidence:
        evidence.add("facts", facts.facts_of([original])[0])
        evidence.add("dead", dead_letter(letter)[1])
        evidence.add("resolved", filter(None, map(resolution, about)))
        ((_, case),) = evidence.cases()

    assert expected == list(judge(case, *[Bounds({}, {}, {}, {})] * 3))
    # And `dlq` says the same.
    note = read_resolution(about[-1])[1] if about else None
    waiting = [name.removeprefix("waiting_") for name in expected if name[:8] == "waiting_"]
    assert list(DeadLetter.of(letter, note).open_for) == waiting


@pytest.mark.parametrize("key", [b"0:99999999999999999999", b"9999999999:0", b"17", None])
def test_a_note_about_no_place_counts_for_nothing(key):
    about = record(encode_resolution(noted("dropped")), key, topic="orders-dlq-resolved")

    assert resolution(about) is None


GARBAGE = buried(record(b"no order", offset=9), ALL)
NO_ORDER = {
    "nothing": (GARBAGE, [], "open"),
    "dropped": (GARBAGE, [noted("dropped", dropped=ALL)], "dropped"),
    "dropped as an earlier version notes it": (GARBAGE, [noted("dropped", None)], "dropped"),
    "dropped for one service": (GARBAGE, [noted("dropped", "fraud", dropped="fraud")], "open"),
    "replayed": (GARBAGE, [noted("replayed", dropped="")], "replayed"),
    "replayed for some, dropped for the others": (
        GARBAGE,
        [noted("dropped", dropped="fraud")],
        "dropped",
    ),
    "dropped, and taken back": (GARBAGE, [noted("dropped", dropped=ALL), None], "open"),
    "a note of another one at this place": (GARBAGE, [noted("dropped", timestamp=1)], "open"),
    "damaged headers": (record(b"x", offset=5), [], "open"),
    "damaged headers, dropped": (record(b"x", offset=5), [noted("dropped", None)], "dropped"),
    "for a service that is not known": (buried(order_record(), "loyalty"), [], "open"),
}


@pytest.mark.parametrize(("letter", "notes", "done"), NO_ORDER.values(), ids=NO_ORDER)
def test_a_dead_letter_that_is_no_order_is_open_until_somebody_has_dealt_with_it(
    letter, notes, done
):
    about = [
        record(note and encode_resolution(note), b"0:5", topic="orders-dlq-resolved")
        for note in notes
    ]
    with Evidence() as evidence:
        evidence.add("no_order", [no_order(letter)])
        evidence.add("resolved", filter(None, map(resolution, about)))
        found = list(evidence.no_order())

    assert found == [(0, 5, done)]
    # And `dlq` says the same.
    note = read_resolution(about[-1])[1] if about else None
    assert DeadLetter.of(letter, note).is_open is (done == "open")


# -- what is kept while it is read ------------------------------------------------------


def cases(evidence):
    return {order_id: case.kinds for order_id, case in evidence.cases()}


def test_facts_come_back_by_order_id_and_kind():
    with Evidence() as evidence:
        evidence.add("facts", [order()._replace(order_id=9), payment(), order(21), order(20)])
        evidence.add("documents", [STORED])
        found = cases(evidence)

    assert list(found) == [7, 9]
    assert [order(20), order(21)] == found[7][ORDER]
    assert ([payment()], [STORED]) == (found[7][PAYMENT], found[7][ORDER_DOCUMENT])


def test_documents_can_be_read_anew():
    with Evidence() as evidence:
        evidence.add("facts", [order()])
        evidence.add("documents", [STORED])
        evidence.forget_documents()
        found = cases(evidence)

    assert ([order()], []) == (found[7][ORDER], found[7][ORDER_DOCUMENT])


def test_what_can_not_be_decoded_and_is_not_buried_is_lost():
    with Evidence() as evidence:
        evidence.add("undecodable", [("orders", 2, 9), ("orders", 2, 9), ("payments", 2, 9)])
        evidence.add("buried", [("orders", 2, 9), ("orders", 1, 1)])
        lost = list(evidence.lost())

    assert lost == [("payments", 2, 9)]


class EmptyTopics:
    """A `TopicReader` without a broker."""

    def has(self, topic):
        return True

    async def begins(self, topic):
        return {0: 0}

    ends = begins

    async def held_back(self, topic):
        return 0

    async def read(self, topic, ends, begins):
        for nothing in ():
            yield nothing


class EndlessStore:
    """Forgets that it was cancelled, as `asyncio.wait_for` of Python 3.11 may."""

    async def scan(self, kind, after, limit):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.001)
        return [examples.order((after or 0) + 1)]


async def nothing_lost():
    return []


async def test_a_check_that_is_interrupted_ends():
    with Evidence() as evidence, Progress() as progress:
        check = Check(EmptyTopics(), EndlessStore(), evidence, progress, nothing_lost)
        running = asyncio.create_task(check.run(limit=1, wait=0))
        await asyncio.sleep(0.05)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=60)

    assert done
    assert running.cancelled()


async def test_a_number_that_is_too_large_for_the_check_ends_it_with_one_line(monkeypatch):
    async def look(limit, wait):
        with Evidence() as evidence:
            evidence.add("buried", [("orders", 0, 2**63)])

    monkeypatch.setattr(reconcile, "_look", look)

    with pytest.raises(FatalError, match="too large"):
        await reconcile._check(limit=1, wait=0)


def test_the_oldest_record_of_a_partition_need_not_be_the_first():
    # A payment has its order's timestamp, and may come after that of a later order.
    records = [record(timestamp=at) for at in (20, 10, 30)]

    assert facts.oldest_of(records, None) == 10
    assert facts.oldest_of(records, 5) == 5
    assert facts.oldest_of([record(timestamp=-1)], 7) == 7
    assert facts.oldest_of([record(timestamp=-1)], None) == 0


def test_a_document_of_a_topic_that_was_made_anew_is_older_than_what_the_topic_has():
    sent, stored = 1000, examples.order(7, kafka_timestamp=1000)
    place = stored.kafka_partition
    times = [{place: sent}, {place: sent + 1}, {place + 1: sent}, {place + 1: sent + 1}, {}]
    older = [
        [bool(found.state & OLDER) for found in facts.document_facts([stored], oldest)]
        for oldest in times
    ]
    assert older == [[False], [True], [False], [True], [False]]

    # Its offset is one that the new topic has given to another order.
    document = fact(ORDER_DOCUMENT, 20)
    assert list(judge(Case([document]), BOUNDS, BOUNDS, BOUNDS)) == ["document_without_order"]
    document = document._replace(state=OLDER)
    assert list(judge(Case([document]), BOUNDS, BOUNDS, BOUNDS)) == ["retired"]
    # One that was sent again, and has the time of its first record, is compared.
    found = list(judge(Case([order(20, digest=2), document, *CHARGED]), BOUNDS, BOUNDS, BOUNDS))
    assert found == ["document_differs"]


# -- how it is told ---------------------------------------------------------------------


def test_a_report_lists_the_first_examples_and_counts_all():
    report = Report(limit=2, orders=1000)
    for order_id in range(1, 4):
        report.add(["missing_alert", "repeated"], order_id)

    assert not report.agrees
    assert report.may_pass
    assert "risky orders without alert" in report.as_text()
    assert " 3  1, 2, …\n" in report.as_text()
    assert report.as_text().endswith("1,000 orders: 3 disagreements.")
    answer = json.loads(report.as_json())
    assert answer["disagreements"]["missing_alert"] == {"count": 3, "examples": [1, 2]}
    assert answer["apart"]["repeated"] == 3


def test_a_report_names_the_groups_that_have_lost_records():
    report = Report(limit=2, orders=12)
    assert json.loads(report.as_json())["lost"] == {"records": 0, "groups": []}

    report.lost = {("fraud-group", "orders"): 40, ("payment-group", "orders"): 8}

    assert report.agrees
    assert report.records_lost == 48
    assert report.as_text().endswith("\n12 orders: up to 48 records were lost.")
    assert "of orders, by the group payment-group" in report.as_text()
    answer = json.loads(report.as_json())
    assert answer["status"] == "lost"
    report.allow_lost = True
    assert report.as_text().endswith("\n12 orders: all agree; up to 48 records were lost.")
    assert answer["lost"] == {
        "records": 48,
        "groups": [
            {"group": "fraud-group", "topic": "orders", "records": 40},
            {"group": "payment-group", "topic": "orders", "records": 8},
        ],
    }


def well_report(**letters):
    report = Report(limit=2, orders=12)
    for done, count in letters.items():
        for n in range(count):
            report.add_no_order(done, f"0:{n}")
    return report


def test_open_dead_letters_that_are_no_order_are_not_well():
    report = well_report(open=3, dropped=1)

    assert (report.agrees, report.is_well, report.may_pass) == (True, False, False)
    line = "  dead letters that are no order: 3 open, 1 dropped  0:0, 0:1, …"
    assert line in report.as_text().splitlines()
    assert report.as_text().endswith(
        "\n12 orders: dead letters are open (`orderapp dlq list`)."
    )
    answer = json.loads(report.as_json())
    assert answer["status"] == "dead_letters"
    assert answer["dead_letters_no_order"] == {
        "open": 3,
        "dropped": 1,
        "replayed": 0,
        "examples": ["0:0", "0:1"],
    }


def test_open_dead_letters_are_well_where_they_are_allowed():
    report = well_report(open=3)
    report.allow_dead_letters = True

    assert report.is_well
    assert json.loads(report.as_json())["status"] == "agree"
    assert report.as_text().endswith("12 orders: all agree.")
    report.add(["missing_alert"], 1)
    assert not report.is_well
    assert json.loads(report.as_json())["status"] == "disagree"


def test_dead_letters_that_were_dealt_with_are_well():
    report = well_report(dropped=2, replayed=1)

    assert report.is_well
    line = "  dead letters that are no order: 0 open, 2 dropped, 1 replayed"
    assert line in report.as_text().splitlines()
    assert report.as_text().endswith("12 orders: all agree.")


@pytest.mark.parametrize("name", ["waiting_fraud", "waiting_payment", "waiting_analytics"])
def test_an_order_that_waits_as_a_dead_letter_is_not_well_either(name):
    report = well_report()
    report.add([name], 1)

    assert (report.agrees, report.is_well) == (True, False)


def test_a_wrong_charge_does_not_pass_by_waiting_but_what_is_beside_it_may():
    report = Report(limit=2)
    report.add(["order_charged_twice"], 1)
    assert not report.may_pass

    report.add(["missing_alert"], 2)
    assert report.may_pass
