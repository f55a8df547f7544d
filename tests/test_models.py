"""The wire contract: what the Records say, and the one form of time."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orderapp.engine.batching import Decoder
from orderapp.models import FraudAlert, Order, Payment, format_time, normal_time, now
from tests.records import record


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


PAYMENT = {
    "order_id": 1,
    "payment_id": "pay-1",
    "status": "PAID",
    "amount": 2.5,
    "paid_at": "2026-11-23T18:00:00Z",
}


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "REFUNDED"},
        {"status": "paid"},
        {"attempts": 2**53},
        {"attempts": -1},
        {"amount": 1.1e12},
        {"amount": -0.01},
    ],
    ids=str,
)
def test_a_payment_that_nobody_could_count_is_refused(fields):
    decoder = Decoder(Payment)

    assert decoder.one(record(json.dumps(PAYMENT).encode())).status == "PAID"
    with pytest.raises(msgspec.ValidationError, match=next(iter(fields))):
        decoder.one(record(json.dumps(PAYMENT | fields).encode()))


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


def written(moment, date, separator, clock, point, digits, zone):
    """`moment` in one of the many forms that ISO 8601 has."""
    year, week, day = moment.isocalendar()
    dates = {
        "days": f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}",
        "basic": f"{moment.year:04d}{moment.month:02d}{moment.day:02d}",
        "weeks": f"{year:04d}-W{week:02d}-{day}",
        "basic weeks": f"{year:04d}W{week:02d}{day}",
    }
    fraction = f"{moment.microsecond:06d}000"[:digits]
    return dates[date] + separator + moment.strftime(clock) + point + fraction + zone


@settings(deadline=None)
@given(
    st.builds(
        written,
        st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30)),
        st.sampled_from(["days", "basic", "weeks", "basic weeks"]),
        st.sampled_from(["T", " ", "t"]),
        st.sampled_from(["%H:%M:%S", "%H%M%S"]),
        st.sampled_from([".", ","]),
        st.integers(1, 9),
        st.sampled_from(["Z", "", "+00:00", "-0330"]),
    )
)
@example("2026-W48-1T18:00:00.123456Z")
@example("2026-11-23T18:00:00,123456Z")
@example("2026-11-23T180000.12345678Z")
def test_every_form_of_a_time_becomes_the_one_form(text):
    kept = normal_time(text, 0)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", kept, re.ASCII)
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    assert datetime.fromisoformat(kept) == moment


@pytest.mark.parametrize("text", ["", "today", "2026-13-01T00:00:00Z", "x" * 27])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"isoformat|month"):
        normal_time(text, 0)


def test_a_moment_is_written_in_utc():
    berlin = timezone(timedelta(hours=1))

    assert format_time(datetime(2026, 11, 23, 19, 0, 0, 123456, berlin)) == FIXED
    assert len(now()) == len(FIXED)
