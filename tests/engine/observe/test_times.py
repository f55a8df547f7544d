"""Times that others wrote: RFC 3339, strictly."""

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderapp.engine.observe.times import parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T18:00:00Z", "2026-11-23T18:00:00"),
        ("2026-11-23t18:00:00z", "2026-11-23T18:00:00"),
        ("2026-11-23T18:00:00", "2026-11-23T18:00:00"),
        ("2026-11-23T18:00:00.5+00:00", "2026-11-23T18:00:00.500000"),
        ("2026-11-23T18:00:00.1234567899999Z", "2026-11-23T18:00:00.123456"),
        ("2026-11-23T18:00:00.9" + "9" * 1000 + "Z", "2026-11-23T18:00:00.999999"),
        ("2026-11-23T20:00:00+02:00", "2026-11-23T18:00:00"),
        ("2026-11-23T00:30:00-23:59", "2026-11-24T00:29:00"),
        ("2026-11-23T18:00:00-00:00", "2026-11-23T18:00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        ("1990-12-31T23:59:60Z", "1990-12-31T23:59:59.999999"),
        ("1990-12-31T23:59:60.5Z", "1990-12-31T23:59:59.999999"),
        ("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999999"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
    ],
)
def test_an_rfc_3339_time_is_a_moment_in_utc(text, moment):
    assert parse_time(text) == datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert parse_time(text).tzinfo is UTC


NO_TIMES = [
    "",
    "today",
    "1796010112345",  # milliseconds: Python reads the year 1796
    "1796010112",
    "20261123T180000Z",
    "20261123",
    "2026-11-23T180000Z",
    "2026-11-23T18:00Z",
    "2026-11-23T18Z",
    "2026-11-23T18:00:00,5Z",
    "2026-11-23T18:00:00.Z",
    "2026-W48-1T18:00:00Z",
    "2026-327T18:00:00Z",
    "2026-11-23_18:00:00Z",
    "2026-11-23 18:00:00Z",
    "2026-11-23T18:00:00+02",
    "2026-11-23T18:00:00+0200",
    "2026-11-23T18:00:00+02:00:00",
    "2026-11-23T18:00:00 Z",
    "2026-11-23T18:00:00 UTC",
    "2026-11-23T18:00:00ZZ",
    " 2026-11-23T18:00:00Z",
    "2026-11-23T18:00:00Z\n",
    "+2026-11-23T18:00:00Z",
    "2026-11-23T\u0661\u0668:00:00Z",
    "\uff12\uff10\uff12\uff16-11-23T18:00:00Z",
    "Mon, 23 Nov 2026 18:00:00 GMT",
    "x" * 27,
    # Well formed, and no time.
    "0000-01-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T18:60:00Z",
    "2026-11-23T18:00:61Z",
    "2026-11-23T18:00:60Z",
    "2026-11-23T23:59:60Z",
    "2026-11-23T18:00:00+24:00",
    "2026-11-23T18:00:00+01:60",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-00:01",
]


@pytest.mark.parametrize("text", NO_TIMES, ids=repr)
def test_anything_else_is_refused_and_named(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_time(text)


def test_a_long_text_is_named_by_its_beginning():
    with pytest.raises(ValueError) as refused:
        parse_time("7" * 1_000_000)

    assert len(str(refused.value)) < 200


def test_a_date_alone_is_a_time_only_where_that_is_asked_for():
    assert parse_time("2026-11-23", dates=True) == datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(ValueError, match="2026-11-23"):
        parse_time("2026-11-23")
    with pytest.raises(ValueError, match="20261123"):
        parse_time("20261123", dates=True)


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)))  # fmt: skip
def test_what_python_writes_is_read(moment):
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    assert parse_time(moment.isoformat()) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text):
    with contextlib.suppress(ValueError):
        assert parse_time(text).tzinfo is UTC
