"""Whatever lies on a topic: a message, or one of the known reasons why it is none."""

import dataclasses

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from orderapp import topics
from orderapp.app import app
from orderapp.engine import dead_letters
from orderapp.engine.batching import BAD_RECORD
from orderapp.engine.dead_letters import DamagedError, Failure, headers_for, read_headers
from orderapp.engine.letters import Letter
from orderapp.models import FraudAlert, Order, Payment
from tests.fuzz import few, values
from tests.records import record

MODELS = {"orders": Order, "fraud-alerts": FraudAlert, "payments": Payment}
assert set(MODELS) <= {spec.name for spec in topics.app.topic_specs}

TOPIC = st.sampled_from(sorted(MODELS))
TIMES = st.sampled_from([0, 1795458572562, -1, 2**62])
HEADER = st.tuples(
    st.one_of(st.sampled_from(dead_letters.HEADERS), st.sampled_from(["replay-for", "x", ""])),
    st.one_of(st.none(), st.binary(max_size=20), st.sampled_from([b"fraud", b"1", b","])),
)
HEADERS = st.lists(HEADER, max_size=14)


@st.composite
def chunk(draw):
    """Records of one partition, as the consumer hands them out."""
    topic = draw(TOPIC)
    contents = st.lists(values.records(MODELS[topic]._options.fields), min_size=1, max_size=5)
    return [
        record(value, draw(st.sampled_from([b"7", b"7", b"", None])), topic=topic, offset=n,
               timestamp=draw(TIMES), headers=draw(HEADERS))
        for n, value in enumerate(draw(contents))
    ]  # fmt: skip


@few(200)
@given(chunk())
@example([record(b"[" * 1_000_000)])
@example([record(b'{"order_id":1' + b"0" * 1_000_000 + b"}")])
def test_a_record_is_a_message_or_bad_and_its_neighbours_do_not_matter(records):
    decoder = app.decoder(records[0].topic)

    batch, bad = decoder.batch(records)

    assert sorted(r.offset for r in [*batch.records, *(r for r, _ in bad)]) == [
        r.offset for r in records
    ]
    for value, one in zip(batch.values, batch.records, strict=True):
        assert decoder.one(one) == value
        assert 0 <= value.order_id < 2**53
        assert 0 <= value.amount < float("inf")
        # What was taken can be sent on, and read again.
        again = dataclasses.replace(one, value=msgspec.json.encode(value))
        assert decoder.one(again) == value
    for one, error in bad:
        assert isinstance(error, BAD_RECORD)
        headers = headers_for(one, Failure("fraud", error))
        assert sum(len(text or b"") for _, text in headers[: len(dead_letters.HEADERS)]) < 4000


@few(200)
@given(
    error=st.one_of(st.text(), st.text(min_size=600)).map(ValueError),
    services=st.lists(st.sampled_from(["fraud", "payment"]), min_size=1, max_size=2),
    attempts=st.integers(1, 10**6),
    timestamp=TIMES,
    own=HEADERS,
)
def test_what_is_written_about_a_failure_is_read_again(
    error, services, attempts, timestamp, own
):
    own = [header for header in own if header[0] != dead_letters.REPLAY_FOR]
    one = record(b"x", partition=3, offset=17, timestamp=max(timestamp, 0), headers=own)

    origin = read_headers(headers_for(one, Failure(",".join(services), error, attempts)))

    assert origin.services == tuple(services)
    assert (origin.error_class, origin.attempts) == ("ValueError", attempts)
    assert (origin.topic, origin.partition, origin.offset) == ("orders", 3, 17)
    assert origin.headers == tuple(own)
    assert "\n" not in origin.error_text
    assert len(origin.error_text) <= 500


@st.composite
def damaged_headers(draw):
    """Those of a dead letter, of which some are other ones, gone, or at another place."""
    headers = headers_for(record(b"x"), Failure("fraud", ValueError("no")))
    for _ in range(draw(st.integers(0, 3))):
        if headers:
            headers[draw(st.integers(0, len(headers) - 1))] = draw(HEADER)
    return draw(st.permutations(headers)) if draw(st.booleans()) else headers


@few(300)
@given(st.one_of(damaged_headers(), HEADERS), TIMES)
def test_damaged_headers_are_damaged_and_nothing_worse(headers, timestamp):
    one = record(b"x", headers=headers, timestamp=timestamp)
    try:
        origin, damage = read_headers(headers), None
    except DamagedError as error:
        origin, damage = None, str(error)

    letter = Letter.of(one)

    assert (letter.origin, letter.damage) == (origin, damage)
    assert damage is None or (len(damage) < 300 and "\n" not in damage)
    assert letter.last_failure.tzinfo is not None
    # A record that comes with them becomes a dead letter all the same.
    again = headers_for(one, Failure("payment", ValueError("no")))
    assert read_headers(again).services == ("payment",)
    assert dead_letters.is_for(one, "fraud") in (True, False)
    assert isinstance(dead_letters.sent_at(one), int)
