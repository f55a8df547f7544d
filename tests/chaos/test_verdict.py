"""The verdict finds what is wrong, wherever it is; each case breaks one thing of a good run."""

import copy

import pytest

from tests.chaos.archive import Place, Taken
from tests.chaos.facts import Facts
from tests.chaos.rulebook import LARGE, VELOCITY, Judged, Version
from tests.chaos.sent import Sent
from tests.chaos.stores import alert_kind
from tests.chaos.verdict import Verdict, judge

SAFE = {"order_id": 1, "customer_id": 1234, "amount": 20.0, "country": "US"}
RISKY = {"order_id": 2, "customer_id": 1234, "amount": 350.0, "country": "DE"}
DECLINED = {"order_id": 3, "customer_id": 1234, "amount": 25_000.0, "country": "CA"}
ABORTED = {**RISKY, "order_id": 4}
BAD = Place(0, 5, 0)
ALERT = alert_kind(LARGE)
SAYS = {"reason": LARGE, "rule_version": 1, "detail": "", "detected_at": "2026-11-29T18:00:00Z"}


def payment(order, status="PAID", offset=20):
    place = {"epoch": 0, "kafka_partition": 0, "kafka_offset": offset}
    return {**order, **place, "payment_id": f"pay-{order['order_id']}", "status": status}


@pytest.fixture
def facts():
    sent = Sent(
        orders={1: SAFE, 2: RISKY, 3: DECLINED, 4: ABORTED},
        confirmed={1, 2, 3},
        transactional={3, 4},
        aborted={4},
        poison={BAD: b"bad"},
    )
    payments = {1: payment(SAFE), 2: payment(RISKY), 3: payment(DECLINED, "DECLINED")}
    alert = {**RISKY, **SAYS, "epoch": 0, "kafka_partition": 1, "kafka_offset": 30}
    places = {1: Place(0, 0, 10), 2: Place(0, 1, 11), 3: Place(0, 2, 12)}
    return Facts(
        sent,
        orders={order_id: [place] for order_id, place in places.items()},
        poison={BAD: b"bad"},
        alerts={2: [alert]},
        payments={order_id: [value] for order_id, value in payments.items()},
        dead={BAD: [("analytics,fraud,payment", b"bad")]},
        documents=copy.deepcopy(
            {
                "order": {
                    order["order_id"]: {
                        **order,
                        "kafka_partition": places[order["order_id"]].partition,
                        "kafka_offset": places[order["order_id"]].offset,
                    }
                    for order in (SAFE, RISKY, DECLINED)
                },
                ALERT: {2: alert},
                "payment": payments,
            }
        ),
    )


def test_a_run_in_which_all_is_well_is_good(facts):
    assert judge(facts) == Verdict(
        sure_alerts={LARGE: 1, VELOCITY: 0}, alerts_of={LARGE: 1, VELOCITY: 0}
    )
    assert judge(facts).is_good


def forget_the_record(facts):
    del facts.orders[1]
    del facts.payments[1]
    del facts.documents["order"][1]
    del facts.documents["payment"][1]


def forget_the_payment(facts):
    del facts.payments[1]


def forget_the_payments_document(facts):
    del facts.documents["payment"][1]


def forget_the_document(facts):
    del facts.documents["order"][1]


def forget_the_dead_letter(facts):
    facts.dead.clear()


def change_the_dead_letter(facts):
    facts.dead[BAD] = [("payment", b"other")]


def forget_the_bad_record(facts):
    facts.poison.clear()


@pytest.mark.parametrize(
    "harm",
    [
        forget_the_record,
        forget_the_payment,
        forget_the_payments_document,
        forget_the_document,
        forget_the_dead_letter,
        change_the_dead_letter,
        forget_the_bad_record,
    ],
)
def test_what_is_missing_is_lost(facts, harm):
    harm(facts)

    verdict = judge(facts)
    assert len(verdict.lost) == 1
    assert not verdict.is_good


def test_two_payment_ids_are_a_double_charge(facts):
    facts.payments[1].append({**payment(SAFE), "payment_id": "pay-other"})

    verdict = judge(facts)
    assert (len(verdict.double), verdict.redelivered) == (1, 1)
    assert not verdict.is_good


def test_the_same_payment_again_is_a_redelivery_and_no_harm(facts):
    facts.payments[1].append(payment(SAFE))

    verdict = judge(facts)
    assert verdict.redelivered == 1
    assert verdict.is_good


def test_a_document_of_an_older_record_is_named(facts):
    facts.payments[1].append(payment(SAFE, offset=21))

    assert len(judge(facts).stale) == 1
    assert "payment 1: stored from (0, 20)" in judge(facts).stale[0]


def test_an_order_that_was_sent_twice_may_be_paid_twice_with_one_id(facts):
    facts.orders[1].append(Place(0, 0, 20))
    facts.payments[1].append(payment(SAFE))

    assert judge(facts).redelivered == 0
    assert judge(facts).is_good


def test_a_wrong_status_is_found(facts):
    facts.payments[3] = [payment(DECLINED, "PAID")]

    assert len(judge(facts).wrong_documents) == 1


@pytest.mark.parametrize("kept", ["payments", "documents"])
def test_a_payment_of_another_amount_is_wrong(facts, kept):
    changed = {**payment(SAFE), "amount": 21.0}
    if kept == "payments":
        facts.payments[1] = [changed]
    else:
        facts.documents["payment"][1] = changed

    assert len(judge(facts).wrong_documents) == 1


def no_alert(facts):
    facts.alerts.clear()


def no_alert_document(facts):
    facts.documents[ALERT].clear()


def another_reason(facts):
    facts.alerts[2][0]["reason"] = "BAD_MOOD"


def another_amount(facts):
    facts.documents[ALERT][2]["amount"] = 1.0


def an_alert_too_many(facts):
    place = {"epoch": 0, "kafka_partition": 0, "kafka_offset": 31}
    facts.alerts[1] = [{**SAFE, **place, **SAYS}]


@pytest.mark.parametrize(
    "harm", [no_alert, no_alert_document, another_reason, another_amount, an_alert_too_many]
)
def test_wrong_alerts_are_found(facts, harm):
    harm(facts)

    verdict = judge(facts)
    assert verdict.wrong_alerts
    assert not verdict.is_good


#: A record of `orders-by-customer`, found by the version 2 of the rule with a window.
FOUND = Judged(5000, Place(0, 4, 7), {2: "4 orders in 10 s"})


@pytest.fixture
def fast(facts):
    """Order 1 has an alert of the rule with a window."""
    made = Version(2, "active", {"limit": 3, "seconds": 10}, since=1000)
    facts.rulebook.versions[VELOCITY].append(made)
    facts.rulebook.judged = {1: [FOUND], 2: [FOUND._replace(found={})], 3: []}
    facts.times = {place: 5000 for places in facts.orders.values() for place in places}
    place = {"epoch": 0, "kafka_partition": 0, "kafka_offset": 31}
    said = {"reason": VELOCITY, "rule_version": 2, "detail": "4 orders in 10 s"}
    facts.alerts[1] = [{**SAFE, **place, **SAYS, **said}]
    facts.documents[alert_kind(VELOCITY)] = {1: facts.alerts[1][0]}
    return facts


def test_alerts_of_the_rule_with_a_window_are_compared(fast):
    verdict = judge(fast)

    assert verdict.is_good, verdict
    assert verdict.sure_alerts == verdict.alerts_of == {LARGE: 1, VELOCITY: 1}


def another_count(facts):
    facts.alerts[1][0]["detail"] = "5 orders in 10 s"


def a_version_that_was_never_in_force(facts):
    facts.alerts[1][0]["rule_version"] = 3


def a_version_that_was_off(facts):
    facts.alerts[1][0]["rule_version"] = 1


def a_version_that_came_later(facts):
    facts.rulebook.versions[VELOCITY][1] = made = facts.rulebook.versions[VELOCITY][1]._replace(
        since=2**45
    )
    assert made.number == 2


def no_alert_of_this_rule(facts):
    facts.alerts.pop(1)
    facts.documents[alert_kind(VELOCITY)].clear()


def an_order_that_was_not_sent_on(facts):
    del facts.rulebook.judged[2]


@pytest.mark.parametrize(
    "harm",
    [
        another_count,
        a_version_that_was_never_in_force,
        a_version_that_was_off,
        a_version_that_came_later,
        no_alert_of_this_rule,
        an_order_that_was_not_sent_on,
    ],
)
def test_wrong_alerts_of_the_rule_with_a_window_are_found(fast, harm):
    harm(fast)

    assert len(judge(fast).wrong_alerts) == 1


def test_an_order_needs_no_alert_that_one_of_the_possible_versions_does_not_find(fast):
    fast.rulebook.versions[VELOCITY].append(Version(3, "shadow", {}, since=4000))
    no_alert_of_this_rule(fast)
    assert len(judge(fast).wrong_alerts) == 0

    fast.rulebook.versions[VELOCITY][2] = Version(
        3, "shadow", {}, since=6000, done={("orders-by-customer", 0, 4): 8}
    )
    assert len(judge(fast).wrong_alerts) == 1


def test_a_document_that_differs_from_its_order_is_wrong(facts):
    facts.documents["order"][1]["amount"] = 21.0

    assert len(judge(facts).wrong_documents) == 1


def test_a_document_without_an_order_is_wrong(facts):
    facts.documents["order"][99] = {**SAFE, "order_id": 99}

    assert judge(facts).wrong_documents == ["order 99 is stored, and no such order was sent"]


def test_what_was_given_up_is_in_the_dead_letters_and_not_lost_but_no_good_run(facts):
    del facts.payments[1]
    facts.dead[Place(0, 0, 10)] = [("payment", b"")]

    verdict = judge(facts)
    assert verdict.given_up == ["order 1 by payment"]
    assert verdict.lost == []
    assert not verdict.is_good


def test_orders_that_were_all_given_up_are_no_good_run(facts):
    for (place,) in facts.orders.values():
        facts.dead[place] = [("analytics,fraud,payment", b"")]
    for kept in (facts.payments, facts.alerts, *facts.documents.values()):
        kept.clear()

    verdict = judge(facts)
    assert (len(verdict.given_up), verdict.lost) == (3, [])
    assert not verdict.is_good


def charge(facts):
    facts.payments[4] = [payment(ABORTED)]


def alert(facts):
    facts.alerts[4] = [{**facts.alerts[2][0], "order_id": 4}]


def store(facts):
    facts.documents["order"][4] = {**ABORTED, "kafka_partition": 0, "kafka_offset": 40}


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("harm", [charge, alert, store])
def test_whatever_comes_of_an_aborted_order_is_found(facts, harm, is_known):
    if not is_known:  # the answer to the abort was lost; the topic shows it
        facts.sent.aborted.clear()
    harm(facts)

    verdict = judge(facts)
    assert len(verdict.charged_though_aborted) == 1
    assert "order 4" in verdict.charged_though_aborted[0]
    assert not verdict.is_good


def test_an_order_whose_commit_was_confirmed_has_to_be_paid(facts):
    del facts.payments[3]

    assert judge(facts).lost == ["order 3: no payment"]


def test_an_order_whose_commit_was_made_without_an_answer_counts(facts):
    facts.sent.confirmed.remove(3)

    assert judge(facts).is_good
    del facts.payments[3]
    assert judge(facts).lost == ["order 3: no payment"]


def forget_all_of_it(facts):
    """Nothing was made of order 2."""
    del facts.payments[2]
    del facts.alerts[2]
    for documents in facts.documents.values():
        documents.pop(2, None)


def taken(begin, end, topic="orders", partition=1, epoch=0):
    return Taken(topic, epoch, partition, begin, end)


def test_what_retention_took_unread_is_not_lost(facts):
    forget_all_of_it(facts)
    facts.taken = [taken(11, 12)]

    verdict = judge(facts)
    assert verdict.taken == 1
    assert verdict.is_good


@pytest.mark.parametrize(
    "elsewhere",
    [
        taken(12, 20),
        taken(0, 11),
        taken(0, 20, partition=2),
        taken(0, 20, epoch=1),
        taken(0, 20, topic="payments"),
    ],
)
def test_what_retention_took_elsewhere_excuses_nothing(facts, elsewhere):
    forget_all_of_it(facts)
    facts.taken = [elsewhere]

    verdict = judge(facts)
    assert verdict.lost == ["order 2: no payment", "order 2: not stored"]
    assert verdict.wrong_alerts == [f"order 2, {LARGE}: no alert"]


def test_an_order_that_was_taken_and_sent_again_has_to_be_paid(facts):
    forget_all_of_it(facts)
    facts.orders[2].append(Place(0, 1, 50))
    facts.taken = [taken(11, 12)]

    assert judge(facts).lost == ["order 2: no payment", "order 2: not stored"]


def test_an_order_that_was_taken_may_not_be_charged_twice_either(facts):
    facts.taken = [taken(11, 12)]
    facts.payments[2].append({**payment(RISKY), "payment_id": "pay-other"})

    assert len(judge(facts).double) == 1


def test_a_payment_that_retention_took_unread_need_not_be_stored(facts):
    del facts.documents["payment"][2]
    facts.taken = [taken(20, 21, topic="payments", partition=0)]

    assert judge(facts).is_good
    facts.payments[2].append(payment(RISKY, offset=22))
    assert judge(facts).lost == ["order 2: its payment is not stored"]


def test_an_alert_that_retention_took_unread_need_not_be_stored(facts):
    facts.documents[ALERT].clear()
    facts.taken = [taken(30, 31, topic="fraud-alerts")]

    assert judge(facts).is_good


def test_an_order_that_was_taken_may_have_been_judged_before(facts):
    facts.taken = [taken(11, 12)]

    assert judge(facts).is_good


def test_a_bad_record_that_was_taken_needs_no_dead_letter(facts):
    facts.dead.clear()
    facts.taken = [taken(0, 1, partition=5)]

    assert judge(facts).is_good


def test_places_of_a_topic_that_was_made_anew_are_others(facts):
    facts.poison[Place(1, 5, 0)] = b"another bad one"

    assert len(judge(facts).lost) == 1
    facts.dead[Place(1, 5, 0)] = [("analytics,fraud,payment", b"another bad one")]
    assert judge(facts).is_good
