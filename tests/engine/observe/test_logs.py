"""Which lines there are: what is left out, and what is said only now and then."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from orderapp.engine.observe import logs
from orderapp.engine.observe.logs import Few, Quiet
from tests.engine.observe.lines import log_record


@pytest.mark.parametrize(
    ("name", "level", "message", "shown"),
    [
        ("faust.worker", logging.INFO, "Subscribed to topic(s): %s", False),
        ("aiokafka.consumer.group_coordinator", logging.INFO, "(Re-)joining group", False),
        ("mode.timers", logging.WARNING, "Timer commit is overlapping", False),
        (
            "aiokafka.consumer.group_coordinator",
            logging.WARNING,
            "Heartbeat failed for group %s because it is rebalancing",
            False,
        ),
        ("orderapp.store.keeper", logging.INFO, "[^--StoreKeeper]: Starting...", False),
        ("orderapp.store.keeper", logging.ERROR, "[^--StoreKeeper]: Crashed", True),
        ("aiokafka.conn", logging.WARNING, "Connection refused", True),
        ("mode.timers", logging.ERROR, "no timer", True),
        ("orderapp.services.producer", logging.INFO, "order 7", True),
        ("somebody.elses", logging.INFO, "hello", True),
    ],
)
def test_of_the_libraries_only_what_went_wrong_is_shown(name, level, message, shown):
    assert Quiet().filter(log_record(message, name=name, level=level)) is shown


def test_many_events_are_counted_instead_of_said(monkeypatch, caplog):
    now = 0.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    caplog.set_level("INFO")
    few = Few(logging.getLogger("few"), most=3, seconds=10)

    assert [few.room(2), few.room(2), few.room(100)] == [2, 1, 0]
    now = 9.0
    assert few.room(5) == 0
    assert not caplog.records
    now = 10.0
    assert few.room(1) == 1

    assert caplog.messages == ["…and 106 more in 10 s"]
    now = 20.0
    assert few.room(4) == 3
    assert len(caplog.messages) == 1, "nothing was left unsaid"


@pytest.fixture
def no_time_passes(monkeypatch):
    """But what the test says: a machine that pauses it for a moment changes nothing."""
    clock = SimpleNamespace(now=7.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(logs, "time", clock)
    return clock


async def test_what_was_left_unsaid_is_counted_when_nothing_follows(no_time_passes, caplog):
    few = Few(logging.getLogger("few"), logging.WARNING, "dead letters", most=2, seconds=0.05)
    quiet = Few(logging.getLogger("few"), most=2, seconds=0.05)

    assert [few.room() for _ in range(5)] == [1, 1, 0, 0, 0]
    assert quiet.room(2) == 2
    assert not caplog.records
    await asyncio.sleep(0.2)

    assert caplog.messages == ["…and 3 more dead letters in 0 s"]
    assert caplog.records[0].levelname == "WARNING"
    logs.say_rest()
    no_time_passes.now += 1
    few.room(9)
    logs.say_rest()
    assert caplog.messages[1:] == ["…and 7 more dead letters in 0 s"], "and once only"


@pytest.mark.usefixtures("no_time_passes")
def test_what_was_left_unsaid_is_counted_at_the_end_of_a_program_without_a_loop(caplog):
    few = Few(logging.getLogger("few"), logging.WARNING, most=1)

    assert [few.room(), few.room()] == [1, 0]
    logs.say_rest()

    assert caplog.messages == ["…and 1 more in 0 s"]
