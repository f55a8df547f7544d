"""`dlq`: what is chosen, how it is shown, and what wrong arguments say."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from faust.cli.base import cli

from orderapp.commands.dlq import dlq
from orderapp.commands.dlq_options import read_range
from orderapp.commands.dlq_print import Table, as_json, in_full, in_full_as_json, printable
from orderapp.commands.dlq_resolve import report
from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.dead_letters.read import DeadLetter, Span
from orderapp.engine.dead_letters.resolutions import Place, Resolution
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.observe.times import read_moment
from orderapp.letters.resolve import Outcome
from orderapp.letters.select import Range, Selection, order_of
from tests.records import record

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
NOTE = Resolution("replayed", "2026-11-23T18:00:00.000+00:00", "fraud", 0)


def letter(service="payment", error=None, note=None, key=b"7", value=b"{}", **place):
    failure = Failure(service, error or TimeoutError("no answer"), 3)
    dead = record(
        value, key, topic="orders-dlq", headers=headers_for(record(), failure), **place
    )
    return DeadLetter.of(dead, note)


DAMAGED = DeadLetter.of(record(topic="orders-dlq", timestamp=int(NOW.timestamp() * 1000)))


@pytest.mark.parametrize(
    ("selection", "chosen", "expected"),
    [
        (Selection(service="fraud"), letter(), None),
        (Selection(error="refused"), letter(), None),
        (Selection(since=NOW + HOUR), letter(), None),
        (Selection(until=NOW - HOUR), letter(), None),
        (Selection(partitions=(1, 2)), letter(), None),
        (Selection(offsets=Range(5, 9)), letter(offset=10), None),
        (Selection(order=8), letter(), None),
        (Selection(service="payment"), DAMAGED, None),
        (Selection(), letter("fraud", note=NOTE), None),
        (Selection(service="fraud"), letter("fraud,payment", note=NOTE), None),
        (Selection(), letter(), ("payment",)),
        (Selection(service="payment"), letter("fraud,payment"), ("payment",)),
        (Selection(), letter("fraud,payment", note=NOTE), ("payment",)),
        (Selection(resolved=True), letter("fraud", note=NOTE), ("fraud",)),
        (Selection(error="timeouterror: NO"), letter(), ("payment",)),
        (Selection(error="damaged"), DAMAGED, ()),
        (Selection(since=NOW - HOUR, until=NOW + HOUR), letter(), ("payment",)),
        (Selection(since=NOW - HOUR), DAMAGED, ()),
        (Selection(partitions=(0,), offsets=Range(5, None)), letter(offset=5), ("payment",)),
        (Selection(order=7), letter(), ("payment",)),
    ],
)
def test_all_that_was_given_has_to_fit(selection, chosen, expected):
    task = selection.task(chosen)

    assert expected == (task.services if task else None)


def test_nothing_given_is_everything():
    assert Selection().is_everything()
    assert Selection(resolved=True).is_everything()
    for given in (
        {"order": 0},
        {"partitions": (0,)},
        {"places": (Place(0, 0),)},
        {"error": "x"},
    ):
        assert not Selection(**given).is_everything()


def test_only_what_can_fit_is_read():
    there = [Span(0, 0, 50), Span(1, 10, 60)]

    assert Selection().spans(there) == [Span(0, 0, 50), Span(1, 0, 60)]
    assert Selection(partitions=(1, 1)).spans(there) == [Span(1, 0, 60)]
    assert Selection(partitions=(7,)).spans(there) == [Span(7, 0, 0)]
    assert Selection(offsets=Range(5, 9), partitions=(0,)).spans(there) == [Span(0, 5, 10)]
    assert Selection(offsets=Range(5, None), partitions=(0,)).spans(there) == [Span(0, 5, 50)]
    assert Selection(places=(Place(1, 30),)).spans(there) == [Span(1, 30, 31)]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (b"x", b"no order", None),
        (None, None, None),
        (None, b"[" * 100_000, None),
        (b"", b'{"order_id": "5"}', None),
        (b"9" * 40, b"{}", None),
        (b"\xc2\xb2", b"{}", None),
        (b"7", b"{", 7),
        (None, b'{"order_id": 5}', 5),
        (b"customer", b'{"order_id": 5, "amount": null}', 5),
    ],
)
def test_the_order_is_that_of_the_key_or_else_of_the_value(key, value, expected):
    assert order_of(record(value, key)) == expected


def test_the_key_of_an_order_that_was_sent_on_by_customer_is_not_its_id():
    origin = record(topic="orders-by-customer")
    headers = headers_for(origin, Failure("fraud", TypeError("a bug"), 1))

    assert order_of(record(b'{"order_id": 5}', b"1234", headers=headers)) == 5
    assert order_of(record(b"no order", b"1234", headers=headers)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", Range(5, 5)), ("5-9", Range(5, 9)), ("5-", Range(5, None)), ("0-0", Range(0, 0))],
)
def test_a_range_is_one_offset_or_several(text, expected):
    assert read_range(text) == expected


@pytest.mark.parametrize("text", ["2026-11-23T18:00:00Z", "2026-11-23T19:00:00+01:00"])
def test_a_time_is_taken_as_it_says(text):
    assert read_moment(text) == datetime(2026, 11, 23, 18, tzinfo=UTC)


def test_a_time_without_a_zone_is_utc_and_a_duration_is_so_long_ago():
    assert read_moment("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)
    assert abs(read_moment("2h") - (datetime.now(UTC) - 2 * HOUR)) < timedelta(minutes=1)


def test_a_date_is_the_moment_when_it_begins():
    assert read_moment("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["1796010112345", "20261123", "2026-W48-1", "2026-11-23T18Z"])
def test_what_is_no_rfc_3339_time_is_no_time_here_either(text):
    with pytest.raises(ValueError, match=text):
        read_moment(text)


def test_the_json_of_a_letter_has_these_fields():
    found = as_json(letter("fraud,payment", note=NOTE, partition=3, offset=17))

    failed = found.pop("first_failure"), found.pop("last_failure")
    assert failed[0] == failed[1]
    assert found == {
        "place": "3:17",
        "partition": 3,
        "offset": 17,
        "order_id": 7,
        "key": {"text": "7"},
        "services": ["fraud", "payment"],
        "open_for": ["payment"],
        "error_class": "TimeoutError",
        "error_text": "no answer",
        "attempts": 3,
        "original_topic": "orders",
        "original_partition": 0,
        "original_offset": 0,
        "original_timestamp": 0,
        "damage": None,
        "resolved": {"action": "replayed", "at": NOTE.at, "services": ["fraud"]},
    }


def test_the_json_of_a_damaged_one_says_how():
    found = as_json(DAMAGED)

    assert "'service' is missing" in found["damage"]
    assert (found["services"], found["attempts"], found["resolved"]) == ([], None, None)


def test_bytes_that_are_no_text_are_base64():
    found = in_full_as_json(letter(key=None, value=b"\xff\x00"))

    assert (found["key"], found["value"]) == (None, {"base64": "/wA="})
    assert ["service", {"text": "payment"}] in found["headers"]
    json.dumps(found)


def test_a_letter_in_full_is_bounded_and_moves_no_cursor():
    lines = list(in_full(letter(error=ValueError("a\x1b[2Jb"), value=b"x" * 10_000)))

    assert "  error-text: a\\x1b[2Jb" in lines
    assert len(lines[-1]) < 2_100
    assert lines[-1].endswith("… (10000 bytes; --json shows all)")
    assert all(line.isprintable() for line in lines)


def test_a_table_has_a_row_for_each_and_one_header(capsys):
    table = Table(with_notes=True)
    selection = Selection(resolved=True)
    chunks = [[letter(offset=5)], [letter("fraud,payment", note=NOTE), DAMAGED]]

    for chunk in chunks:
        table.print([selection.task(item) for item in chunk])

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in rows] == [
        ["PLACE", "ORDER", "SERVICE"],
        ["0:5", "7", "payment"],
        ["0:0", "7", "fraud,payment"],
        ["0:0", "7", "?"],
    ]
    assert "replayed" in rows[2]
    assert "damaged:" in rows[3]


def test_printable_text_stays_as_it_is():
    assert printable("größer 注文") == "größer 注文"
    assert printable("a\nb") == "a\\nb"


@pytest.mark.parametrize(
    ("outcome", "line", "status"),
    [
        (Outcome("replayed", False), "nothing to do: no open dead letter fits", 0),
        (Outcome("replayed", False, done=1), "replayed 1 dead letter", 0),
        (Outcome("dropped", True, done=1_000), "would drop 1,000 dead letters", 0),
        (
            Outcome("replayed", False, 2, 1, 3),
            "replayed 2 dead letters; 1 done before; "
            "skipped 3 that can't be replayed (damaged headers)",
            0,
        ),
        (
            Outcome("replayed", False, errors=["3:1 is bad"]),
            "replayed 0 dead letters; 1 failed",
            1,
        ),
    ],
)
def test_the_outcome_is_one_line_and_an_exit_status(capsys, outcome, line, status):
    assert report(outcome, as_json=False) == status

    printed = capsys.readouterr()
    assert printed.out == line + "\n"
    assert printed.err.splitlines() == [f"orderapp: {error}" for error in outcome.errors]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["lst"], "'lst'"),
        (["show"], "PLACE"),
        (["show", "3/17"], "'3/17' is no place"),
        (["list", "--service", "loyalty"], "'loyalty' is not one of"),
        (["list", "--since", "yesterday"], "'yesterday' is no time"),
        (["list", "--until", "9" * 7 + "w"], "is no time"),
        (["list", "--until", "999999w"], "is no time"),
        (["list", "--offset", "9-5"], "it ends before it begins"),
        (["list", "--offset=-1"], "'-1' is no range"),
        (["list", "--offset", "\u0661"], "is no range"),
        (["list", "--partition", "-1"], "-1 is not in the range"),
        (["list", "--order", "seven"], "'seven' is not a valid integer"),
        (["list", "--limit", "0"], "0 is not in the range"),
        (["list", "3:1"], "unexpected extra argument"),
        (["list", "--dry-run"], "--dry-run"),
        (["replay"], "Which ones?"),
        (["drop", "--dry-run", "--yes"], "Which ones?"),
        (["drop", "--all", "--everything"], "--all"),
        (["replay", "3:1", "--everything"], "--everything does not go with"),
        (["replay", "--service", "fraud", "--everything"], "--everything does not go with"),
    ],
)
def test_wrong_arguments_are_one_line_that_names_them_and_status_2(arguments, named):
    result = CliRunner().invoke(cli, ["-A", "orderapp", "dlq", *arguments])

    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("orderapp: ")
    assert named in line
    assert f"dlq {arguments[0]} --help`)" in line or arguments == ["lst"]
    assert result.stdout == ""


@pytest.mark.parametrize("command", sorted(dlq.commands))
def test_every_command_tells_its_exit_status(command):
    result = CliRunner().invoke(cli, ["-A", "orderapp", "dlq", command, "--help"])

    assert result.exit_code == 0
    assert "Exit status: 0 done, 1 something" in " ".join(result.stdout.split())


def test_the_help_of_list_names_every_field_of_its_json():
    result = CliRunner().invoke(cli, ["-A", "orderapp", "dlq", "list", "--help"])

    for field in as_json(letter()):
        assert field in result.stdout
