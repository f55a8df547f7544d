"""Whatever lies on a topic: a message, or one of the known reasons why it is none."""

import contextlib
import dataclasses
import math
import sqlite3
from functools import partial

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from orderapp import documents, topics
from orderapp.app import app
from orderapp.engine.batches.records import REPLAY_FOR, is_for
from orderapp.engine.dead_letters import headers as dead_letters
from orderapp.engine.dead_letters.headers import DamagedError, headers_for, read_headers
from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.delivery.failure import Failure
from orderapp.models import FraudAlert, Order, Payment, now
from orderapp.services import analytics
from orderapp.store.sqlite import read
from orderapp.store.sqlite.schema import create
from orderapp.store.sqlite.write import write
from tests.fuzz import few, values
from tests.records import record

MODELS = {"orders": Order, "fraud-alerts": FraudAlert, "payments": Payment}
assert set(MODELS) <= {spec.name for spec in topics.app.topic_specs}

TOPIC = st.sampled_from(sorted(MODELS))
TIMES = st.sampled_from([0, 1795458572562, -1, 2**62, 2**63 - 1, -(2**63)])
HEADER = st.tuples(
    st.one_of(st.sampled_from(dead_letters.HEADERS), st.sampled_from(["replay-for", "x", ""])),
    st.one_of(st.none(), st.binary(max_size=20), st.sampled_from([b"fraud", b"1", b","])),
)
HEADERS = st.lists(HEADER, max_size=14)
NUMBERS = st.one_of(
    st.integers(), st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, 10**19, -(2**63) - 1])
)


@st.composite
def replays(draw):
    """Headers of a replay, whose numbers may be any."""
    headers = headers_for(record(b"x"), Failure("analytics", ValueError("no")))
    numbers = {"attempts", "original-partition", "original-offset", "original-timestamp"}
    changed = draw(st.sets(st.sampled_from(sorted(numbers))))
    headers = [(n, b"%d" % draw(NUMBERS) if n in changed else v) for n, v in headers]
    return dead_letters.replay_headers(record(headers=headers), ["analytics"])


@st.composite
def chunk(draw):
    """Records of one partition, as the consumer hands them out."""
    topic = draw(TOPIC)
    contents = st.lists(values.records(MODELS[topic]._options.fields), min_size=1, max_size=5)
    return [
        record(value, draw(st.sampled_from([b"7", b"7", b"", None])), topic=topic, offset=n,
               timestamp=draw(TIMES), headers=draw(HEADERS | replays()))
        for n, value in enumerate(draw(contents))
    ]  # fmt: skip


@st.composite
def damaged_headers(draw):
    """Those of a dead letter, of which some are other ones, gone, or at another place."""
    headers = headers_for(record(b"x"), Failure("fraud", ValueError("no")))
    for _ in range(draw(st.integers(0, 3))):
        if headers:
            headers[draw(st.integers(0, len(headers) - 1))] = draw(HEADER)
    return draw(st.permutations(headers)) if draw(st.booleans()) else headers


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
        assert isinstance(error, Exception)
        headers = headers_for(one, Failure("fraud", error))
        assert sum(len(text or b"") for _, text in headers[: len(dead_letters.HEADERS)]) < 4000


MAKERS = {
    "orders": partial(documents.order_document, stored_at=now()),
    "fraud-alerts": documents.alert_document,
    "payments": documents.payment_document,
}


def paid(order_id, **fields):
    value = {"order_id": order_id, "payment_id": "p", "status": "PAID", "amount": 1} | fields
    value |= {"paid_at": "2026-11-23T18:00:00Z"}
    return record(msgspec.json.encode(value), topic="payments", offset=order_id)


@few(100)
@given(chunk())
@example([paid(1, attempts=2**63 - 1), paid(2, attempts=2**63)])
@example([paid(1, amount=1e308), paid(2, amount=1e308)])
def test_what_is_a_message_can_be_stored_and_stored_again(records):
    batch, _ = app.decoder(records[0].topic).batch(records)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create(connection)
        for _ in range(2):
            write(connection, [[*map(MAKERS[batch.topic], batch.values, batch.records)]])

        totals = read.stats(connection, -(2**60)).countries
    assert all(math.isfinite(total.revenue) for total in totals)


@few(100)
@given(
    st.lists(st.one_of(damaged_headers(), HEADERS, replays()), min_size=1, max_size=5), TIMES
)
def test_what_is_a_dead_letter_of_an_order_can_be_stored(letters, timestamp):
    records = [
        record(b"x", b"%d" % key, topic="orders-dlq", headers=headers, timestamp=timestamp)
        for key, headers in zip((7, 2**53 - 1, 2**63, 7, 0), letters, strict=False)
    ]
    found = [analytics.dead_letter_document(one) for one in records]
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create(connection)
        for _ in range(2):
            write(connection, [[document for document in found if document is not None]])


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
    own = [header for header in own if header[0] != REPLAY_FOR]
    one = record(b"x", partition=3, offset=17, timestamp=max(timestamp, 0), headers=own)

    origin = read_headers(headers_for(one, Failure(",".join(services), error, attempts)))

    assert origin.services == tuple(services)
    assert (origin.error_class, origin.attempts) == ("ValueError", attempts)
    assert (origin.topic, origin.partition, origin.offset) == ("orders", 3, 17)
    assert origin.headers == tuple(own)
    assert "\n" not in origin.error_text
    assert len(origin.error_text) <= 500


@few(300)
@given(st.one_of(damaged_headers(), HEADERS), TIMES)
def test_damaged_headers_are_damaged_and_nothing_worse(headers, timestamp):
    one = record(b"x", headers=headers, timestamp=timestamp)
    try:
        origin, damage = read_headers(headers), None
    except DamagedError as error:
        origin, damage = None, str(error)

    letter = DeadLetter.of(one)

    assert (letter.origin, letter.damage) == (origin, damage)
    assert damage is None or (len(damage) < 300 and "\n" not in damage)
    assert letter.last_failure.tzinfo is not None
    # A record that comes with them becomes a dead letter all the same.
    again = headers_for(one, Failure("payment", ValueError("no")))
    assert read_headers(again).services == ("payment",)
    assert is_for(one, "fraud") in (True, False)
    assert isinstance(dead_letters.sent_at(one), int)
