"""Batches: decoding, and what happens to records that can't be decoded."""

import asyncio
import json
from typing import Annotated

import faust
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.codec import Json
from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.batches.scheduler import BatchScheduler
from orderapp.engine.batches.structs import struct_of
from tests.records import record


class Reading(faust.Record, include_metadata=False):
    """A Record that has nothing to do with orders."""

    sensor: int
    value: Annotated[float, Meta(ge=0)]
    unit: str = "K"


def reading(sensor, value=1.0, **more):
    return json.dumps({"sensor": sensor, "value": value, **more}).encode()


def test_a_twin_has_the_fields_types_and_defaults_of_its_record():
    made = struct_of(Reading)(sensor=1, value=2.0)

    assert (made.sensor, made.value, made.unit) == (1, 2.0, "K")
    assert struct_of(Reading) is struct_of(Reading)
    with pytest.raises(AttributeError):
        made.sensor = 2


def test_values_keep_their_records_at_hand():
    records = [record(reading(n), offset=n * 2, partition=3) for n in range(4)]

    batch, bad = Decoder(Json(Reading)).batch(records)

    assert bad == []
    assert [value.sensor for value in batch] == [0, 1, 2, 3]
    assert [r.offset for r in batch.records] == [0, 2, 4, 6]
    assert (batch.topic, batch.partition, len(batch)) == ("orders", 3, 4)


BAD = [
    record(None),
    record(reading(1), key=None),
    record(b""),
    record(b"[]"),
    record(b"null"),
    record(b'{"sensor": 1}'),
    record(b'{"sensor": "1", "value": 1}'),
    record(b'{"sensor": true, "value": 1}'),
    record(b'{"sensor": 1, "value": NaN}'),
    record(b'{"sensor": 1, "value": 1e999}'),
    record(b'{"sensor": 1, "value": -1}'),
    record(b'{"sensor": 1, "value": 1, "unit": "\xff"}'),
    record(b'{"sensor": 1, "x": ' + b"[" * 1_000_000),
    record(b"x" * 1_000_000),
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_bad_record_is_taken_out_and_its_neighbours_go_on(bad):
    good = [record(reading(n), offset=n) for n in range(3)]

    batch, rejected = Decoder(Json(Reading)).batch([good[0], bad, good[1], bad, good[2]])

    assert [value.sensor for value in batch] == [0, 1, 2]
    assert batch.records == good
    assert [r for r, _ in rejected] == [bad, bad]
    assert all(str(error) for _, error in rejected)


def test_a_batch_of_only_bad_records_is_empty():
    batch, rejected = Decoder(Json(Reading)).batch([record(b"x"), record(b"y")])

    assert (len(batch), len(rejected)) == (0, 2)
    assert list(batch.runs()) == [batch]


@given(st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=20)))
def test_no_bytes_get_past_the_decoder(value, key):
    try:
        decoded = Decoder(Json(Reading)).one(record(value, key))
    except Exception:
        pass
    else:
        assert isinstance(decoded.sensor, int)
        assert decoded.value >= 0


def test_complete_may_fill_in_or_refuse():
    def complete(value, source):
        if value.sensor == 13:
            raise ValueError("no such sensor")
        return (
            value if value.unit != "?" else struct_of(Reading)(sensor=value.sensor, value=9.0)
        )

    records = [record(reading(1)), record(reading(13)), record(reading(2, unit="?"))]
    batch, rejected = Decoder(Json(Reading), complete).batch(records)

    assert [value.value for value in batch] == [1.0, 9.0]
    assert [str(error) for _, error in rejected] == ["no such sensor"]


class OddError(Exception):
    """Of somebody's own."""


def too_deep():
    too_deep()


def raising(error):
    raise error


BUGS = {
    "KeyError": lambda: {}["sensor"],
    "AttributeError": lambda: None.sensor,
    "AssertionError": lambda: raising(AssertionError()),
    "ZeroDivisionError": lambda: 1 // 0,
    "UnicodeEncodeError": lambda: "\ud800".encode(),
    "OSError": lambda: raising(OSError("year is out of range")),
    "RecursionError": too_deep,
    "MemoryError": lambda: raising(MemoryError()),
    "StopIteration": lambda: next(iter(())),
    "OddError": lambda: raising(OddError("\x1b[2J")),
    "TypeError": lambda: None,
}


@pytest.mark.parametrize("place", [0, 1, 4])
@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_complete_costs_only_the_records_that_meet_it(name, place):
    records = [record(reading(13 if n == place else n), offset=n) for n in range(5)]

    def complete(value, source):
        return value if value.sensor != 13 else BUGS[name]()

    batch, rejected = Decoder(Json(Reading), complete).batch(records)

    assert [r.offset for r in batch.records] == [n for n in range(5) if n != place]
    assert [value.sensor for value in batch] == [n for n in range(5) if n != place]
    assert [(r.offset, type(error).__name__) for r, error in rejected] == [(place, name)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_a_program_is_no_reason_to_give_a_record_up(error):
    def complete(value, source):
        raise error

    with pytest.raises(error):
        Decoder(Json(Reading), complete).batch([record(reading(1))])


def test_unknown_fields_are_ignored():
    batch, rejected = Decoder(Json(Reading)).batch([record(reading(1, added_later=True))])

    assert (len(batch), rejected) == (1, [])


@pytest.mark.parametrize(
    ("keys", "runs"),
    [
        ("", [""]),
        ("abc", ["abc"]),
        ("aa", ["a", "a"]),
        ("abcab", ["abc", "ab"]),
        ("abab", ["ab", "ab"]),
        ("abbc", ["ab", "bc"]),
    ],
)
def test_runs_hold_each_key_once_and_keep_the_order(keys, runs):
    records = [record(key=key.encode()) for key in keys]
    batch = Batch("orders", 0, list(keys), records)

    assert ["".join(part.values) for part in batch.runs()] == runs


def test_batched_topics_come_as_lists_and_others_record_by_record():
    batched, single = TP("orders", 0), TP("other", 1)
    records = {batched: ["a", "b"], single: ["c", "d"]}

    handed_out = list(BatchScheduler({"orders": object()}).iterate(records))

    assert handed_out == [(batched, ["a", "b"]), (single, "c"), (single, "d")]
    assert list(BatchScheduler({}).iterate({})) == []
