"""What blocks a worker: said once, kept until it is over."""

import logging

from orderapp.engine.observe.blocked import Blocked


def lines(caplog):
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_nothing_is_blocked_at_first():
    blocked = Blocked()

    blocked.free("payments")

    assert not len(blocked)
    assert blocked.reasons == []


def test_a_reason_is_said_once_and_holds_until_it_is_over(caplog):
    blocked = Blocked()
    with caplog.at_level(logging.INFO):
        blocked.block("payments", "no right to write 'payments'")
        blocked.block("payments", "no right to write 'payments'")
        assert "payments" in blocked
        assert blocked.reasons == ["no right to write 'payments'"]
        blocked.free("payments")

    assert "payments" not in blocked
    assert lines(caplog) == [
        (logging.CRITICAL, "no right to write 'payments'"),
        (logging.WARNING, "no longer blocked: no right to write 'payments'"),
    ]


def test_another_reason_of_the_same_place_is_said_too(caplog):
    blocked = Blocked()
    blocked.block("payments", "too large")
    blocked.block("payments", "no right")

    assert blocked.reasons == ["no right"]
    assert [text for _, text in lines(caplog)] == ["too large", "no right"]
