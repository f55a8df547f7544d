"""Texts of others: one line, not too long, nothing that moves a cursor."""

import pytest

from orderapp.engine.dead_letters.headers import headers_for, log_line, read_headers
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.observe.texts import one_line
from tests.records import record


class NoTextError(Exception):
    def __str__(self):
        raise KeyError("text")


class NumberError(Exception):
    def __str__(self):
        return 7


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("plain"), "plain"),
        (ValueError("Zürich ✓"), "Zürich ✓"),
        (ValueError("a\r\n  b\u2028c"), "a b c"),
        (ValueError("\x1b[2J\x00"), r"\x1b[2J\x00"),
        (ValueError("\x7f\x9b31m"), r"\x7f\x9b31m"),
        (ValueError("\ud800"), r"\ud800"),
        (ValueError("\u202ereversed"), r"\u202ereversed"),
        (ValueError(), ""),
        (ValueError("x" * 10_000_000), "x" * 499 + "…"),
        (NoTextError(), "(its text can't be made: KeyError)"),
        (NumberError(), "(its text can't be made: TypeError)"),
    ],
    ids=range(11),
)
def test_an_errors_text_becomes_one_line(error, text, caplog):
    assert one_line(error) == text

    failure, source = Failure("fraud", error), record(b"x")
    assert read_headers(headers_for(source, failure)).error_text == text
    log_line(source, failure)
    assert caplog.messages[0].isprintable()
