"""The plan of a run: the same for the same seed, and over in time."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos.faults import FAULTS, KINDS
from tests.chaos.schedule import exactly, plan


def test_the_same_seed_makes_the_same_plan_and_another_seed_another():
    assert plan(7, 300, KINDS) == plan(7, 300, KINDS)
    assert plan(7, 300, KINDS) != plan(8, 300, KINDS)


@pytest.mark.parametrize("seed", range(50))
def test_every_fault_is_over_before_the_end(seed):
    strikes = plan(seed, 90, KINDS)

    assert strikes == sorted(strikes, key=lambda strike: strike.at)
    assert all(strike.at > 0 and strike.at + strike.seconds <= 90 for strike in strikes)


def test_a_long_run_has_every_fault():
    assert FAULTS.keys() == KINDS.keys() == {strike.kind for strike in plan(1, 600, KINDS)}


def test_a_short_run_begins_with_a_takeover_that_nothing_disturbs():
    for seed in range(50):
        kill, *later = [s for s in plan(seed, 60, KINDS) if not KINDS[s.kind].burst]

        assert kill.kind == "kill"
        assert all(s.at > kill.at + 1 for s in later)


def test_no_faults_make_an_empty_plan():
    assert plan(1, 300, {}) == []


def test_exactly_so_many_strikes_are_spread_over_the_run():
    counts = {"kill": 3, "term": 2, "rules": 20}
    strikes = exactly(7, 400, KINDS, counts)

    assert strikes == exactly(7, 400, KINDS, counts) != exactly(8, 400, KINDS, counts)
    assert Counter(strike.kind for strike in strikes) == counts
    felt = [strike.at for strike in strikes if not KINDS[strike.kind].burst]
    assert all(later - sooner > 30 for sooner, later in pairwise(felt))
    assert all(4 <= strike.at < 380 for strike in strikes)
