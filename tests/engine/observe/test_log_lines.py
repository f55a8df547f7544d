"""How a line looks: one for each event, whatever it is made of."""

import io
import json
import logging
import subprocess
import sys
import textwrap

import colorlog
import pytest
from mode.utils.logging import (
    DEFAULT_COLOR_FORMAT,
    DEFAULT_COLORS,
    DefaultFormatter,
    ExtensionFormatter,
)

from orderapp.engine.batches.records import about
from orderapp.engine.observe.log_lines import JsonFormatter, TextFormatter
from tests.engine.observe.lines import log_record
from tests.records import record

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()


def line(*args, key_name="key", **extra):
    text = JsonFormatter(key_name).format(log_record(*args, **extra))
    assert text.isascii()
    assert len(text.splitlines()) == 1
    return json.loads(text)


def test_a_line_says_when_how_bad_who_and_what():
    made = log_record("order %d: %s", 7, "ok", level=logging.WARNING)
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


#: Text from outside that would be a line of its own, or move the terminal, and how it is shown.
FORGED = "[2026-11-29 08:00:00,000] [1] [CRITICAL] forged line"
ODD = {
    f"DE\n{FORGED}": rf"DE\n{FORGED}",
    f"DE\r\n{FORGED}": rf"DE\r\n{FORGED}",
    f"DE\x85{FORGED}": rf"DE\x85{FORGED}",
    f"DE\u2028{FORGED}\u2029": rf"DE\u2028{FORGED}\u2029",
    f"DE\x0b\x0c{FORGED}": rf"DE\x0b\x0c{FORGED}",
    "\x1b]0;title\x07\x1b[31mred": r"\x1b]0;title\x07\x1b[31mred",
    "\x9b31mred\x7f\x00": r"\x9b31mred\x7f\x00",
    "\u202eturned\u2066": r"\u202eturned\u2066",
    "\ud800half": r"\ud800half",
    "Zürich 東京": "Zürich 東京",
}


def texts():
    """The formatters of a worker's text log: on a terminal, and in a file."""
    layout = "[x] %(message)s %(extra)s"
    faust = ExtensionFormatter(fmt=layout, log_colors=DEFAULT_COLORS)
    return [TextFormatter(faust), TextFormatter(DefaultFormatter(layout))]


@pytest.mark.parametrize("odd", ODD)
def test_an_event_is_one_line_whatever_it_is_made_of(odd):
    made = [
        log_record("order %s", odd),
        log_record(f"order {odd}"),
        log_record("order %(odd)s", {"odd": odd}),
    ]
    for formatter in texts():
        assert [formatter.format(each) for each in made] == [f"[x] order {ODD[odd]} "] * 3


def fail(odd):
    error = RuntimeError(odd)
    error.add_note(odd)
    raise error from ValueError(odd)


@pytest.mark.parametrize("odd", ODD)
def test_no_line_of_a_traceback_can_be_taken_for_a_line_of_the_log(odd):
    try:
        fail(odd)
    except RuntimeError:
        made = log_record("failed", exc_info=sys.exc_info())
    # Another handler's formatter was there before, and has left this on the record.
    logging.Formatter().format(made)

    for formatter in texts():
        first, *lines = formatter.format(made).split("\n")
        assert first == "[x] failed "
        assert "  | Traceback (most recent call last):" in lines
        assert all(line.startswith("  | ") and line.isprintable() for line in lines)
        assert any(line.startswith("  |   File ") for line in lines)
        assert ODD[odd].replace(r"\n", "\n  | ") in "\n".join(lines)


def test_what_belongs_to_an_event_follows_it():
    made = log_record("stalled", details="thread a:\n  b.py:1 c")
    made.stack_info = "Stack:\n  \x1b"

    assert (
        TextFormatter().format(made)
        == "stalled\n  | Stack:\n  |   \\x1b\n  | thread a:\n  |   b.py:1 c"
    )
    assert line("stalled", details="a\nb")["details"] == "a\nb"


def test_other_handlers_get_the_record_as_it_was():
    made = log_record("order %s", "a\nb")
    TextFormatter().format(made)

    assert (made.msg, made.args) == ("order %s", ("a\nb",))


def test_colours_are_the_terminals_own():
    formatter = ExtensionFormatter(
        fmt=DEFAULT_COLOR_FORMAT, log_colors=DEFAULT_COLORS, stream=Terminal()
    )
    shown = TextFormatter(formatter).format(log_record("a\x1b[1mb", level=logging.ERROR))

    red = colorlog.escape_codes.escape_codes["red"]
    assert f"[ERROR] {red}a\\x1b[1mb " in shown


def test_an_ordinary_line_has_the_colour_of_the_terminal_light_or_dark():
    formatter = ExtensionFormatter(
        fmt=DEFAULT_COLOR_FORMAT, log_colors=DEFAULT_COLORS, stream=Terminal()
    )
    shown = TextFormatter(formatter).format(log_record("ready"))

    assert colorlog.escape_codes.escape_codes["white"] not in shown
    assert f"{colorlog.escape_codes.escape_codes['reset']}ready" in shown
    assert DEFAULT_COLORS["INFO"] == "white", "others keep theirs"


@pytest.mark.parametrize(
    ("message", "key", "shown"),
    [
        ("not sent", 123, "not sent (order_id 123)"),
        ("not sent", "123", "not sent (order_id 123)"),
        ("order 123 was not sent", 123, "order 123 was not sent"),
        ("order 1234 was not sent", 123, "order 1234 was not sent (order_id 123)"),
        ("not sent", "odd key", "not sent"),
        ("not sent", None, "not sent"),
    ],
)
def test_a_line_about_one_record_names_its_key(message, key, shown):
    assert TextFormatter(key_name="order_id").format(log_record(message, key=key)) == shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("logging.getLogger('x').warning('a\\n%s', 'b\\x1b')", r"a\nb\x1b"),
        ("warnings.warn('a\\nb\\x1b')", r"<string>:5: UserWarning: a\nb\x1b"),
        ("raise ValueError('a\\nb\\x1b')", "\n  | ValueError: a\n  | b\\x1b"),
        (
            "t = threading.Thread(target=int, args=('a\\nb\\x1b',)); t.start(); t.join()",
            "\n  | ValueError: invalid literal for int() with base 10: 'a\\nb\\x1b'",
        ),
    ],
    ids=["logged", "warned", "ended", "thread"],
)
def test_what_python_itself_writes_has_such_lines_too(what, said):
    program = f"""
        import logging, threading, warnings
        from orderapp.engine.observe.log_lines import hold_lines
        hold_lines()
        {what}
        """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    assert said in run.stderr
    assert all(line.isprintable() for line in run.stderr.splitlines())
    assert [line for line in run.stderr.splitlines() if line.startswith("b")] == []
