"""Dead letters: the headers say where a record came from and why it is here."""

from orderapp.engine import dead_letters
from tests.records import record


def test_the_headers_tell_the_whole_story_and_keep_the_senders():
    dead = record(
        b"x", topic="orders", partition=3, offset=7, timestamp=99, headers=[("a", b"1")]
    )

    headers = dead_letters.headers_for(dead, ValueError("not\n an order"), "fraud,payment")

    assert [name for name, _ in headers] == [*dead_letters.HEADERS, "a"]
    values = dict(headers)
    assert values.pop("failed-at").endswith(b"+00:00")
    assert values == {
        "service": b"fraud,payment",
        "error-class": b"ValueError",
        "error-text": b"not an order",
        "original-topic": b"orders",
        "original-partition": b"3",
        "original-offset": b"7",
        "original-timestamp": b"99",
        "a": b"1",
    }


def test_a_long_error_text_is_cut():
    headers = dict(dead_letters.headers_for(record(), ValueError("x" * 10_000), "fraud"))

    assert len(headers["error-text"].decode()) == 500


def test_one_line_is_logged_without_the_value(caplog):
    dead_letters.log_line(record(b"card 4711"), ValueError("a\nb"), "fraud")

    assert len(caplog.records) == 1
    assert "fraud could not process orders[0]@0 key=b'7': ValueError: a b" in caplog.text
    assert "4711" not in caplog.text
