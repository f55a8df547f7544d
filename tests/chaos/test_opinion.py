"""What `reconcile` says is held against what was deleted, order by order."""

import pytest

from tests.chaos.archive import Taken
from tests.chaos.facts import Facts
from tests.chaos.opinion import unexplained
from tests.chaos.sent import Sent


def said(status=1, lost=0, **examples):
    found = {name: {"count": len(ids), "examples": ids} for name, ids in examples.items()}
    answer = {"disagreements": found, "lost": {"records": lost}}
    return {"status": status, "answer": answer}


def gone(topic, *ids):
    return Facts(Sent(), gone={topic: set(ids)})


NOTHING = Facts(Sent())


def test_agreement_needs_no_explanation():
    assert unexplained(said(0, order_without_payment=[]), NOTHING) == []


def test_a_disagreement_that_nothing_explains_is_a_problem():
    problems = unexplained(said(order_without_payment=[1, 2]), NOTHING)

    assert problems == ["reconcile: 2 order_without_payment: [1, 2]"]


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("orders", "payment_without_order"),
        ("payments", "order_without_payment"),
        ("fraud-alerts", "missing_alert"),
    ],
)
def test_what_was_deleted_explains_what_is_missing_of_it_and_no_more(topic, name):
    assert unexplained(said(**{name: [1, 2]}), gone(topic, 1, 2)) == []
    assert unexplained(said(**{name: [1, 3]}), gone(topic, 1, 2)) == [
        f"reconcile: 1 {name}: [3]"
    ]


@pytest.mark.parametrize("topic", ["orders", "payments", "fraud-alerts"])
def test_nothing_explains_a_double_charge(topic):
    assert len(unexplained(said(order_charged_twice=[1]), gone(topic, 1))) == 1


@pytest.mark.parametrize(("status", "examples"), [(0, [1]), (1, []), (2, [])])
def test_a_status_that_does_not_fit_the_answer_is_a_problem(status, examples):
    problems = unexplained(said(status, missing_alert=examples), gone("fraud-alerts", 1))

    assert problems == [f"reconcile ended with status {status}"]


#: Five offsets.
TAKEN = [
    Taken("orders", 0, 3, 7, 9),
    Taken("orders", 0, 3, 7, 10),
    Taken("orders", 1, 3, 7, 8),
    Taken("payments", 0, 3, 7, 8),
]


@pytest.mark.parametrize(("lost", "problems"), [(5, 0), (4, 1), (6, 1), (0, 2)])
def test_what_was_deleted_unread_has_to_be_counted_exactly(lost, problems):
    facts = Facts(Sent(), taken=TAKEN)

    assert len(unexplained(said(1, lost), facts)) == problems
