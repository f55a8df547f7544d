"""The wire contract: what the Records say, and the one form of time."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orderapp import topics
from orderapp.engine.batches.codec import Json
from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.observe import logs
from orderapp.engine.observe.metrics import REGISTRY
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
        "rule_version",
        "detail",
        "failed",
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
        "attempt_times",
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
        {"attempt_times": [{"began": "t", "ended": "t"}] * 51},
        {"attempt_times": [{"began": "t"}]},
        {"attempt_times": None},
    ],
    ids=str,
)
def test_a_payment_that_nobody_could_count_is_refused(fields):
    decoder = Decoder(Json(Payment))

    assert decoder.one(record(json.dumps(PAYMENT).encode())).status == "PAID"
    with pytest.raises(msgspec.ValidationError, match=next(iter(fields))):
        decoder.one(record(json.dumps(PAYMENT | fields).encode()))


def test_a_payment_without_times_of_attempts_is_written_without_them():
    codec = Json(Payment)
    timed = PAYMENT | {"attempt_times": [{"began": "t", "ended": "u"}]}

    for sent in (PAYMENT, timed):
        known = {"attempts": 1, "country": None, "created_at": None}
        decoded = codec.decode(json.dumps(sent).encode())
        assert json.loads(codec.encode(decoded)) == sent | known
        # As the command line sends it.
        loaded = Payment.loads(json.dumps(sent).encode())
        assert json.loads(loaded.dumps()) == json.loads(codec.encode(loaded)) == sent | known


FIXED = "2026-11-23T18:00:00.123456Z"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (FIXED, FIXED),
        ("2026-11-23T18:00:00Z", "2026-11-23T18:00:00.000000Z"),
        ("2026-11-23T18:00:00.5Z", "2026-11-23T18:00:00.500000Z"),
        ("2026-11-23T20:00:00+02:00", "2026-11-23T18:00:00.000000Z"),
        ("2026-11-23T18:00:00", "2026-11-23T18:00:00.000000Z"),
        ("2026-11-23t18:00:00.1234560000z", FIXED),
        ("2025-12-31T23:59:60.000000Z", "2025-12-31T23:59:59.999999Z"),
        (None, "2026-11-23T18:00:00.123000Z"),
    ],
)
def test_times_are_kept_in_one_form_that_sorts_as_text(sent, kept):
    record_time = int(datetime(2026, 11, 23, 18, tzinfo=UTC).timestamp() * 1000) + 123

    assert normal_time(sent, record_time) == kept


def written(moment, separator, digits, zone):
    """`moment` in one of the many forms that RFC 3339 has."""
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    return f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S}{fraction}{zone}"


@settings(deadline=None)
@given(
    st.builds(
        written,
        st.datetimes(datetime(1000, 1, 2), datetime(2026, 11, 20)),
        st.sampled_from(["T", "t"]),
        st.integers(0, 9),
        st.sampled_from(["Z", "z", "", "+00:00", "-03:30"]),
    )
)
@example("2025-11-23T18:00:00.123456z")
@example("2025-11-23T18:00:00.12345678Z")
def test_every_form_of_a_time_becomes_the_one_form(text):
    kept = normal_time(text, 0)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", kept, re.ASCII)
    moment = datetime.fromisoformat(text.upper())
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    assert datetime.fromisoformat(kept) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2026-13-01T00:00:00Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-11-23T18:00:60.000000Z",
        "1796010112345",
        "2026-W48-1T18:00:00.123456Z",
        "2026-11-23T18:00:00,123456Z",
        "2026-11-23 18:00:00.123456Z",
        "x" * 27,
    ],
)
def test_what_is_no_time_is_refused_and_named(text):
    with pytest.raises(ValueError, match=repr(text)):
        normal_time(text, 0)


DAY = 86_400_000
SENT = int(datetime(2025, 11, 23, 18, tzinfo=UTC).timestamp() * 1000)
AT_SENT = "2025-11-23T18:00:00.000000Z"


@pytest.mark.parametrize("before", [None, SENT - 30 * DAY, SENT - 1, SENT + 1, SENT + 30 * DAY])
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z"),
        ("2025-11-24T17:59:59.999999Z", "2025-11-24T17:59:59.999999Z"),
        ("2025-11-24T18:00:00.000000Z", "2025-11-24T18:00:00.000000Z"),
        ("2025-11-24T20:00:00+02:00", "2025-11-24T18:00:00.000000Z"),
        ("2025-11-24T18:00:00.000001Z", AT_SENT),
        ("2025-11-24T20:00:01+02:00", AT_SENT),
        ("2026-01-01T00:00:00.000000Z", AT_SENT),
        ("9999-12-31T23:59:59Z", AT_SENT),
    ],
)
def test_a_time_a_day_ahead_of_its_record_is_replaced(text, kept, before):
    # Whatever was read before, of this partition or of another.
    if before is not None:
        normal_time("2020-01-01T00:00:00Z", before)

    assert normal_time(text, SENT) == kept
    assert normal_time(text, SENT) == kept


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**63 - 1, 4_102_444_800_000])
def test_a_timestamp_that_can_not_be_counts_for_nothing(timestamp):
    past = "2025-11-23T18:00:00.000000Z"

    assert normal_time(past, timestamp) == past
    for text in (None, "2099-12-31T00:00:00Z"):
        kept = datetime.fromisoformat(normal_time(text, timestamp))
        assert abs(kept - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_moment_is_written_in_utc():
    berlin = timezone(timedelta(hours=1))

    assert format_time(datetime(2026, 11, 23, 19, 0, 0, 123456, berlin)) == FIXED
    assert len(now()) == len(FIXED)


def test_a_clock_that_is_ahead_is_counted_and_said_by_workers(monkeypatch, caplog):
    def order(created_at):
        fields = {"order_id": 7, "customer_id": 1234, "amount": 1, "country": "DE"}
        value = json.dumps(fields | {"created_at": created_at}).encode()
        return topics.app.decoder("orders").one(record(value, timestamp=SENT))

    def counted():
        return REGISTRY.get_sample_value("orderapp_clocks_ahead_total")

    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: 100.0))
    before = counted()
    ahead = "2025-12-01T00:00:00Z"
    assert order(ahead).created_at == AT_SENT  # a command says nothing
    monkeypatch.setattr(topics.app, "in_worker", True)
    assert order("2025-11-24T00:00:00Z").created_at == "2025-11-24T00:00:00.000000Z"
    assert (counted() - before, caplog.messages) == (0, [])
    assert [order(ahead).created_at for _ in range(100)] == [AT_SENT] * 100

    assert counted() - before == 100
    line = f"created_at {ahead!r} is more than a day ahead: using {AT_SENT} instead"
    assert caplog.messages == [line] * 5
    assert (caplog.records[0].key, caplog.records[0].offset) == ("7", 0)


@pytest.mark.parametrize("created_at", ["1796010112345", "2026-W48-1T18:00:00Z", ""])
def test_an_order_with_another_time_is_none_and_the_reason_names_it(created_at):
    value = {"order_id": 7, "customer_id": 1234, "amount": 1, "country": "DE"}
    sent = record(json.dumps(value | {"created_at": created_at}).encode(), timestamp=SENT)

    batch, bad = topics.app.decoder("orders").batch([sent])

    assert len(batch) == 0
    assert str(bad[0][1]).startswith(f"'{created_at}' is no RFC 3339 time")
