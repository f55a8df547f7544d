"""Log lines: JSON, what is left out, and what is said only now and then."""

import asyncio
import json
import logging
import sys

import pytest

from orderapp.engine.batches.records import about
from orderapp.engine.observe import logs
from orderapp.engine.observe.logs import Few, JsonFormatter, Quiet
from tests.records import record

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()


def said(
    message="a line", *args, level=logging.INFO, name="orderapp.x", exc_info=None, **extra
):
    """A log record, as a logger would make it."""
    return logging.getLogger(name).makeRecord(
        name, level, "file.py", 1, message, args, exc_info, extra=extra
    )


def line(*args, key_name="key", **extra):
    text = JsonFormatter(key_name).format(said(*args, **extra))
    assert text.isascii()
    assert len(text.splitlines()) == 1
    return json.loads(text)


def test_a_line_says_when_how_bad_who_and_what():
    made = said("order %d: %s", 7, "ok", level=logging.WARNING)
    made.created = 1795470781.25

    assert json.loads(JsonFormatter().format(made)) == {
        "time": "2026-11-23T21:53:01.250Z",
        "level": "warning",
        "logger": "orderapp.x",
        "message": "order 7: ok",
    }


def test_what_is_known_stands_in_fields_of_its_own():
    about_it = {"order_id": 7, "trace_id": TRACE, "service": "fraud", "offset": 0}

    assert about_it.items() <= line(key_name="order_id", **about_it).items()


def test_what_is_not_known_is_left_out():
    assert line().keys() == line(trace_id="", service=None, other="x").keys()


def test_a_line_about_a_record_names_its_place_and_trace():
    found = record(key=b"7", partition=3, offset=9, headers=[("traceparent", PARENT)])

    fields = line(
        "no", **about(found, service="fraud", error="ValueError"), key_name="order_id"
    )

    assert {
        "order_id": 7,
        "trace_id": TRACE,
        "service": "fraud",
        "topic": "orders",
        "partition": 3,
        "offset": 9,
        "error": "ValueError",
    }.items() <= fields.items()
    assert "key" not in fields


@pytest.mark.parametrize("key", [b"poison", b"\xff\xfe", b"7\n", b"1" * 17, "٣".encode()])
def test_a_key_that_is_no_id_stays_a_key(key):
    fields = line("no", **about(record(key=key)), key_name="order_id")

    assert "order_id" not in fields
    assert isinstance(fields["key"], str)


@pytest.mark.parametrize("key", [None, b""])
def test_a_record_without_a_key_has_none_in_its_line(key):
    assert {"key", "order_id"}.isdisjoint(line("no", **about(record(key=key))))


def test_the_order_id_of_a_line_is_not_replaced_by_a_key():
    assert line(order_id=1, key="2", key_name="order_id")["order_id"] == 1


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\u2028b", "a\x00b", "\ud800", 'say "a"', "Zürich"]
)
def test_no_text_breaks_a_line(text):
    assert line("%s", text)["message"] == text


def test_an_exception_is_one_field():
    try:
        int("seven")
    except ValueError:
        fields = line("no", exc_info=sys.exc_info())

    assert fields["message"] == "no"
    assert fields["exception"].startswith("Traceback")
    assert fields["exception"].endswith("with base 10: 'seven'")


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
    assert Quiet().filter(said(message, name=name, level=level)) is shown


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


async def test_what_was_left_unsaid_is_counted_when_nothing_follows(caplog):
    few = Few(logging.getLogger("few"), logging.WARNING, "dead letters", most=2, seconds=0.05)
    quiet = Few(logging.getLogger("few"), most=2, seconds=0.05)

    assert [few.room() for _ in range(5)] == [1, 1, 0, 0, 0]
    assert quiet.room(2) == 2
    assert not caplog.records
    await asyncio.sleep(0.2)

    assert caplog.messages == ["…and 3 more dead letters in 0 s"]
    assert caplog.records[0].levelname == "WARNING"
    logs.say_rest()
    few.room(9)
    logs.say_rest()
    assert caplog.messages[1:] == ["…and 7 more dead letters in 0 s"], "and once only"


def test_what_was_left_unsaid_is_counted_at_the_end_of_a_program_without_a_loop(caplog):
    few = Few(logging.getLogger("few"), logging.WARNING, most=1)

    assert [few.room(), few.room()] == [1, 0]
    logs.say_rest()

    assert caplog.messages == ["…and 1 more in 0 s"]
