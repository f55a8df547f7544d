"""The verdict finds what is wrong, wherever it is; each case breaks one thing of a good run."""

import copy

import pytest

from tests.chaos.facts import Facts
from tests.chaos.sender import Sent
from tests.chaos.verdict import REASON, Verdict, judge

SAFE = {"order_id": 1, "customer_id": 1234, "amount": 20.0, "country": "US"}
RISKY = {"order_id": 2, "customer_id": 1234, "amount": 350.0, "country": "DE"}
DECLINED = {"order_id": 3, "customer_id": 1234, "amount": 25_000.0, "country": "CA"}
BAD = (5, 0)


def payment(order, status="PAID", offset=20):
    place = {"kafka_partition": 0, "kafka_offset": offset}
    return {**order, **place, "payment_id": f"pay-{order['order_id']}", "status": status}


@pytest.fixture
def facts():
    sent = Sent(
        orders={1: SAFE, 2: RISKY, 3: DECLINED}, confirmed={1, 2, 3}, poison={BAD: b"bad"}
    )
    payments = {1: payment(SAFE), 2: payment(RISKY), 3: payment(DECLINED, "DECLINED")}
    alert = {**RISKY, "reason": REASON, "kafka_partition": 1, "kafka_offset": 30}
    places = {1: (0, 10), 2: (1, 11), 3: (2, 12)}
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
                        "kafka_partition": places[order["order_id"]][0],
                        "kafka_offset": places[order["order_id"]][1],
                    }
                    for order in (SAFE, RISKY, DECLINED)
                },
                "alert": {2: alert},
                "payment": payments,
            }
        ),
    )


def test_a_run_in_which_all_is_well_is_good(facts):
    assert judge(facts) == Verdict()
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

    assert judge(facts).stale == ["payment 1: stored from (0, 20) of [(0, 20), (0, 21)]"]


def test_an_order_that_was_sent_twice_may_be_paid_twice_with_one_id(facts):
    facts.orders[1].append((0, 20))
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
    facts.documents["alert"].clear()


def another_reason(facts):
    facts.alerts[2][0]["reason"] = "BAD_MOOD"


def another_amount(facts):
    facts.documents["alert"][2]["amount"] = 1.0


def an_alert_too_many(facts):
    place = {"kafka_partition": 0, "kafka_offset": 31}
    facts.alerts[1] = [{**SAFE, **place, "reason": REASON}]


@pytest.mark.parametrize(
    "harm", [no_alert, no_alert_document, another_reason, another_amount, an_alert_too_many]
)
def test_wrong_alerts_are_found(facts, harm):
    harm(facts)

    verdict = judge(facts)
    assert len(verdict.wrong_alerts) == 1
    assert not verdict.is_good


def test_a_document_that_differs_from_its_order_is_wrong(facts):
    facts.documents["order"][1]["amount"] = 21.0

    assert len(judge(facts).wrong_documents) == 1


def test_a_document_without_an_order_is_wrong(facts):
    facts.documents["order"][99] = {**SAFE, "order_id": 99}

    assert judge(facts).wrong_documents == ["order 99 is stored, and no such order was sent"]


def test_what_was_given_up_is_in_the_dead_letters_and_not_lost_but_no_good_run(facts):
    del facts.payments[1]
    facts.dead[0, 10] = [("payment", b"")]

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
