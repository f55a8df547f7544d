"""The report calls a run failed that was not good, and says what it did not look at."""

import pytest

from tests.chaos.diary import Diary
from tests.chaos.lost import Offset
from tests.chaos.observer import Observer
from tests.chaos.report import as_json, failures, summary
from tests.chaos.run import Options, Result
from tests.chaos.sender import Sender
from tests.chaos.takeovers import Takeover
from tests.chaos.verdict import HARMS, Verdict

AGREES = {"status": 0, "answer": {}}


def result(verdict=None, reconcile=AGREES, faults=("kill",), handovers=()):
    options = Options(1, 60.0, 100.0, 3, tuple(faults), "sqlite")
    return Result(
        options,
        Diary(quiet=True),
        Sender("nowhere", 100.0, 1),
        Observer("nowhere"),
        verdict or Verdict(),
        takeovers=[],
        handovers=list(handovers),
        caught_up=1.0,
        reconcile=reconcile,
    )


def test_a_run_in_which_all_is_well_has_no_failures():
    assert failures(result()) == []


@pytest.mark.parametrize("name", HARMS)
def test_each_harm_is_a_failure(name):
    verdict = Verdict(**{name: ["order 1"]})

    assert failures(result(verdict)) == [f"1 {name.replace('_', ' ')}: order 1"]
    assert not verdict.is_good


def test_a_run_without_an_answer_of_reconcile_is_not_good():
    assert failures(result(reconcile=None)) == ["reconcile gave no answer"]


def test_a_slow_takeover_fails_a_run():
    run = result()
    run.takeovers.append(Takeover("kill", 15.1, ()))

    assert failures(run) == ["a takeover took 15.1 s"]


SLOW = Takeover("term", 3.1, ())


def test_a_slow_hand_over_fails_a_run_with_gentle_faults():
    run = result(faults=("term", "poison"), handovers=[SLOW])

    assert failures(run) == ["a clean stop handed over after 3.1 s"]
    assert "not asked for" not in summary(run)
    assert as_json(run)["gentle_limits_applied"] is True


def test_a_run_with_other_faults_says_that_hand_overs_were_not_held_against_their_limit():
    run = result(faults=("term", "stop", "kill"), handovers=[SLOW])

    assert failures(run) == []
    assert "not asked for in a run with kill, stop: a hand-over within 3 s" in summary(run)
    assert as_json(run)["gentle_limits_applied"] is False


TAKEN = {Offset("orders", 3, 7), Offset("orders", 3, 8)}


@pytest.mark.parametrize(
    ("taken", "reported", "text"),
    [
        (TAKEN, set(), "2 (orders[3]@7, orders[3]@8, …) deleted unread and not reported, 0"),
        (
            set(),
            TAKEN,
            "0 deleted unread and not reported, 2 (orders[3]@7, orders[3]@8, …) rep",
        ),
        (TAKEN, {Offset("orders", 3, 7), Offset("orders", 3, 9)}, "1 (orders[3]@8, …) deleted"),
    ],
)
def test_what_retention_took_has_to_be_reported_to_the_record(taken, reported, text):
    run = result()
    run.taken, run.reported = taken, reported

    [why] = failures(run)
    assert why.startswith(text)
    assert f"FAILED: {why}" in summary(run)


def test_a_run_in_which_all_that_was_taken_is_reported_is_good():
    run = result()
    run.taken, run.reported = TAKEN, set(TAKEN)

    assert failures(run) == []
    assert as_json(run)["taken_unread"] == as_json(run)["reported_lost"] == 2
