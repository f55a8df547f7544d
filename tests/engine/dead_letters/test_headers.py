"""Dead letters: the headers say where a record came from and why it is here."""

import pytest

from orderapp.engine.batches.records import is_for
from orderapp.engine.dead_letters import headers as dead_letters
from orderapp.engine.dead_letters.headers import DamagedError, headers_for, read_headers
from orderapp.engine.delivery.failure import Failure
from tests.records import record


def failure(error=None, **more):
    return Failure("fraud,payment", error or ValueError("not\n an order"), **more)


def dead_letter(**more):
    return record(
        b"x", topic="orders", partition=3, offset=7, timestamp=99, headers=[("a", b"1")], **more
    )


def test_the_headers_tell_the_whole_story_and_keep_the_senders():
    headers = headers_for(dead_letter(), failure(attempts=4, first="2026-11-23T18:00:00+00:00"))

    assert [name for name, _ in headers] == [*dead_letters.HEADERS, "a"]
    values = dict(headers)
    assert values.pop("last-failure").endswith(b"+00:00")
    assert values == {
        "service": b"fraud,payment",
        "error-class": b"ValueError",
        "error-text": b"not an order",
        "attempts": b"4",
        "original-topic": b"orders",
        "original-partition": b"3",
        "original-offset": b"7",
        "original-timestamp": b"99",
        "first-failure": b"2026-11-23T18:00:00+00:00",
        "a": b"1",
    }


def test_what_was_written_can_be_read():
    origin = read_headers(headers_for(dead_letter(), failure(attempts=2)))

    assert origin.services == ("fraud", "payment")
    assert (origin.topic, origin.partition, origin.offset) == ("orders", 3, 7)
    assert (origin.error_class, origin.error_text) == ("ValueError", "not an order")
    assert (origin.attempts, origin.timestamp) == (2, 99)
    assert origin.first_failure == origin.last_failure
    assert origin.headers == (("a", b"1"),)


def test_a_replay_that_fails_again_remembers_where_it_began():
    first = headers_for(dead_letter(), failure(attempts=3, first="2026-01-01T00:00:00+00:00"))
    dead = record(b"x", topic="orders-dlq", partition=3, offset=0, headers=first)
    replay = record(
        b"x",
        topic="orders",
        partition=3,
        offset=50,
        headers=dead_letters.replay_headers(dead, ["payment"]),
    )

    again = headers_for(replay, Failure("payment", KeyError("other"), attempts=2))

    origin = read_headers(again)
    assert origin.services == ("payment",)
    assert origin.error_class == "KeyError"
    assert origin.attempts == 5
    assert (origin.topic, origin.partition, origin.offset) == ("orders", 3, 7)
    assert origin.timestamp == 99
    assert origin.first_failure == "2026-01-01T00:00:00+00:00"
    assert origin.last_failure > origin.first_failure
    assert origin.headers == (("a", b"1"),)
    assert len(again) == len(first)


def test_a_replay_is_for_the_services_it_names():
    first = headers_for(dead_letter(), failure())
    headers = dead_letters.replay_headers(record(headers=first), ["fraud", "payment"])
    replay = record(headers=headers)

    assert is_for(replay, "fraud")
    assert is_for(replay, "payment")
    assert not is_for(replay, "analytics")
    assert is_for(record(), "analytics")


def test_a_header_without_a_value_makes_no_replay():
    assert is_for(record(headers=[("replay-for", None)]), "fraud")


def test_a_replay_was_sent_when_its_original_was():
    headers = headers_for(dead_letter(), failure())
    replay = dead_letters.replay_headers(record(headers=headers), ["fraud"])

    assert dead_letters.sent_at(record(timestamp=500, headers=replay)) == 99
    assert dead_letters.sent_at(record(timestamp=500)) == 500
    assert dead_letters.sent_at(record(timestamp=500, headers=[("a", b"1")])) == 500


@pytest.mark.parametrize(
    ("sent", "failed", "since"),
    [
        (5000, "1970-01-01T00:00:07+00:00", 5000),
        (9000, "1970-01-01T00:00:07+00:00", 7000),  # its sender's clock is ahead
        (9000, "1970-01-01T00:00:07", 7000),
        (9000, "1970-01-01T01:00:07+01:00", 7000),
        (9000, "1970-01-01", 0),
        (9000, "0001-01-01T00:00:00+14:00", 0),  # damaged: nobody can tell
    ],
)
def test_a_replay_may_have_been_processed_since_it_was_sent_or_failed(sent, failed, since):
    values = {"original-timestamp": str(sent).encode(), "first-failure": failed.encode()}
    headers = [(n, values.get(n, v)) for n, v in headers_for(dead_letter(), failure())]
    replay = dead_letters.replay_headers(record(headers=headers), ["analytics"])

    assert dead_letters.seen_since(record(timestamp=99_999, headers=replay)) == since


def test_a_record_that_is_no_replay_may_have_been_processed_since_it_was_sent():
    by_hand = [("replay-for", b"fraud"), ("x", b"y")]

    assert dead_letters.seen_since(record(timestamp=500)) == 500
    assert dead_letters.seen_since(record(timestamp=500, headers=[("a", b"1")])) == 500
    assert dead_letters.seen_since(record(timestamp=500, headers=by_hand)) == 0


@pytest.mark.parametrize("number", [b"9999999999999999999", b"9" * 20])
def test_a_replay_with_a_timestamp_that_no_record_has_was_sent_at_its_own(number):
    headers = headers_for(dead_letter(), failure())
    forged = [(n, number if n == "original-timestamp" else v) for n, v in headers]
    replay = dead_letters.replay_headers(record(headers=forged), ["analytics"])

    assert dead_letters.sent_at(record(timestamp=500, headers=replay)) == 500


def test_a_forged_replay_that_fails_is_a_dead_letter_of_its_own():
    forged = record(partition=2, offset=8, headers=[("replay-for", b"fraud"), ("x", b"y")])

    origin = read_headers(headers_for(forged, failure(attempts=1)))

    assert (origin.partition, origin.offset, origin.attempts) == (2, 8, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", b"many"),
        ("attempts", b"9" * 30),
        ("attempts", "\u0661".encode()),
        ("attempts", b"-1"),
        ("attempts", b"9007199254740992"),
        ("original-timestamp", b"9999999999999999999"),
        ("original-timestamp", b"-9223372036854775809"),
        ("original-offset", b"9223372036854775808"),
        ("original-offset", b"-1"),
        ("original-partition", b"2147483648"),
        ("original-partition", b"-1"),
        ("original-offset", b""),
        ("original-partition", b"1.5"),
        ("first-failure", b"yesterday"),
        ("error-text", b"\xff\xfe"),
        ("error-text", None),
        ("service", b""),
        ("service", b"fraud,,payment"),
    ],
)
def test_a_damaged_header_is_named(name, value):
    headers = [(n, value if n == name else v) for n, v in headers_for(dead_letter(), failure())]

    with pytest.raises(DamagedError, match=name):
        read_headers(headers)


@pytest.mark.parametrize("timestamp", [-(2**63), -1, 0, 2**63 - 1])
def test_every_timestamp_that_a_record_can_have_is_read_again(timestamp):
    headers = headers_for(record(timestamp=timestamp), failure())

    assert read_headers(headers).timestamp == timestamp


def test_attempts_that_add_up_to_too_many_are_still_read_again():
    first = headers_for(dead_letter(), failure(attempts=2**53 - 1))
    replay = dead_letters.replay_headers(record(headers=first), ["payment"])

    again = headers_for(record(headers=replay), failure(attempts=8))

    assert read_headers(again).attempts == 2**53 - 1


@pytest.mark.parametrize("index", range(len(dead_letters.HEADERS)))
def test_a_missing_header_is_named(index):
    headers = headers_for(record(), failure())
    name, _ = headers.pop(index)

    with pytest.raises(DamagedError, match=name):
        read_headers(headers)


def test_a_long_error_text_is_cut():
    headers = dict(headers_for(record(), failure(ValueError("x" * 10_000))))

    assert len(headers["error-text"].decode()) == 500


def test_one_line_is_logged_without_the_value(caplog):
    dead_letters.log_line(record(b"card 4711"), Failure("fraud", ValueError("a\nb"), 3))

    assert len(caplog.records) == 1
    assert (
        "fraud could not process orders[0]@0 key=b'7' at attempt 3: ValueError: a b"
        in caplog.text
    )
    assert "4711" not in caplog.text
