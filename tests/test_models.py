"""The wire contract: what the Records say, and the one form of time."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from orderapp.models import FraudAlert, Order, Payment, format_time, normal_time, now


def test_records_carry_no_faust_metadata():
    order = Order(order_id=1, customer_id=1234, amount=2.5, country="DE", created_at="x")

    assert json.loads(order.dumps()) == {
        "order_id": 1,
        "customer_id": 1234,
        "amount": 2.5,
        "country": "DE",
        "created_at": "x",
    }


def test_the_fields_are_those_of_the_contract():
    assert list(FraudAlert._options.fields) == [
        "order_id",
        "reason",
        "amount",
        "country",
        "customer_id",
        "detected_at",
        "created_at",
    ]
    assert list(Payment._options.fields) == [
        "order_id",
        "payment_id",
        "status",
        "amount",
        "paid_at",
        "attempts",
        "country",
        "created_at",
    ]


FIXED = "2026-11-23T18:00:00.123456Z"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (FIXED, FIXED),
        ("2026-11-23T18:00:00Z", "2026-11-23T18:00:00.000000Z"),
        ("2026-11-23T18:00:00.5Z", "2026-11-23T18:00:00.500000Z"),
        ("2026-11-23T20:00:00+02:00", "2026-11-23T18:00:00.000000Z"),
        ("2026-11-23T18:00:00", "2026-11-23T18:00:00.000000Z"),
        ("2026-11-23 18:00:00.123456Z", FIXED),
        ("20261123T180000.1234560000Z", FIXED),
        (None, "2026-11-23T18:00:00.123000Z"),
    ],
)
def test_times_are_kept_in_one_form_that_sorts_as_text(sent, kept):
    record_time = int(datetime(2026, 11, 23, 18, tzinfo=UTC).timestamp() * 1000) + 123

    assert normal_time(sent, record_time) == kept


@pytest.mark.parametrize("text", ["", "today", "2026-13-01T00:00:00Z", "x" * 27])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"isoformat|month"):
        normal_time(text, 0)


def test_a_moment_is_written_in_utc():
    berlin = timezone(timedelta(hours=1))

    assert format_time(datetime(2026, 11, 23, 19, 0, 0, 123456, berlin)) == FIXED
    assert len(now()) == len(FIXED)
