"""A rule is changed: the log decides whether the change holds."""

import pytest

from orderapp import control, topics
from orderapp.change_log import WrongVersion
from orderapp.control import Wanted
from orderapp.engine.errors import TransientError
from orderapp.judging import rules
from tests.rules.log import ControlLog

RULE = "HIGH_AMOUNT_RISKY_COUNTRY"
DEFAULTS = {"limit": 300.0, "safe_countries": ["CA", "US"]}


@pytest.fixture
def log():
    log = ControlLog()
    yield log
    log.close()


def change(log, state=None, version=None, **values):
    wanted = Wanted(RULE, state, values, "ann", version)
    return control.change(wanted, log.look, log.send)


def change_of(version, **more):
    fields = {"rule": RULE, "state": "off", "parameters": {}, "author": "bob", **more}
    at = "2026-11-29T18:00:00.000000Z"
    return topics.control.message(version=version, changed_at=at, **fields)


async def test_what_is_not_named_stays_as_it_is(log):
    await change(log, limit=500.0)
    before, after = await change(log, "shadow")

    assert (before.version, before.state, before.written()) == (
        *(2, "active"),
        DEFAULTS | {"limit": 500.0},
    )
    assert (after.version, after.state, after.written()) == (3, "shadow", before.written())
    assert rules.all[RULE] == after
    assert [(one.version, one.author) for one in control.changes.taken] == [
        *[(2, "ann"), (3, "ann")]
    ]


async def test_sets_are_written_in_one_sequence_and_read_back(log):
    _, after = await change(log, safe_countries=frozenset({"US", "MX", "CA"}))

    assert after.written()["safe_countries"] == ["CA", "MX", "US"]
    assert rules.all[RULE] == after


async def test_without_a_difference_nothing_is_sent(log):
    before, after = await change(log, "active", limit=300)

    assert before == after == rules.declared[RULE]
    assert log.records == []


async def test_a_change_is_one_of_the_version_that_was_seen(log):
    await change(log, limit=500, version=1)

    with pytest.raises(WrongVersion, match=f"{RULE} has version 2, not 1: nothing was changed"):
        await change(log, limit=600, version=1)
    assert len(log.records) == 1


async def test_of_two_changes_at_one_time_the_first_in_the_log_holds(log):
    log.before = change_of(2)

    with pytest.raises(WrongVersion, match="has version 2, somebody else was quicker"):
        await change(log, limit=600)
    assert rules.all[RULE].state == "off"


async def test_a_change_that_is_followed_by_another_one_at_once_did_hold(log):
    async def look():
        if log.records:
            await log.send(change_of(3))
        await log.look()

    _, after = await control.change(Wanted(RULE, "shadow", {}, "ann"), look, log.send)

    assert (after.version, rules.all[RULE].version) == (2, 3)


async def test_a_value_out_of_bounds_is_not_sent(log):
    with pytest.raises(ValueError, match="limit=-1 is not allowed"):
        await change(log, limit=-1)
    assert log.records == []


async def test_with_kafka_away_what_was_read_holds(log):
    await change(log, limit=500)
    log.away = TransientError("Kafka does not answer")

    with pytest.raises(TransientError):
        await change(log, limit=600)
    assert rules.all[RULE].written() == DEFAULTS | {"limit": 500.0}
