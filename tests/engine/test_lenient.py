"""Records whose headers have names that are no UTF-8, read from the bytes of a fetch."""

import struct

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder

import orderapp.engine.transport  # noqa: F401 - it makes aiokafka lenient
from tests.e2e.records import OddName

COMPRESSIONS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
GOOD = ("trace", b"1")
ODD = (OddName(b"a\xffb"), b"2")


def batch(base: int, headers: list[list[tuple[str, bytes]]], compression: int = 0) -> bytes:
    """A batch as a broker gives it, one record for each list of headers."""
    builder = Builder(2, compression, False, -1, -1, -1, 1 << 20)
    for delta, own in enumerate(headers):
        builder.append(delta, 1000 + delta, b"key", b"%d" % (base + delta), own)
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base)
    return bytes(data)


def unpack(data: bytes, offset: int = 0):
    """What a consumer makes of what it has fetched from `offset` on."""
    records = fetcher.PartitionRecords(
        TopicPartition("orders", 3),
        fetcher.MemoryRecords(data),
        None,
        offset,
        None,
        None,
        True,
        READ_UNCOMMITTED,
    )
    return list(records), records.next_fetch_offset


@pytest.mark.parametrize("compression", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_records_with_ordinary_headers_are_read(compression):
    found, end = unpack(batch(0, [[], [GOOD], []], compression))

    assert [record.value for record in found] == [b"0", b"1", b"2"]
    assert tuple(record.headers for record in found) == ((), (GOOD,), ())
    assert end == 3


@pytest.mark.parametrize("compression", COMPRESSIONS.values(), ids=COMPRESSIONS)
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5])
def test_a_name_that_is_no_text_is_shown_and_loses_no_record(place, compression):
    headers = [[GOOD]] * 6
    headers[place] = [GOOD, ODD, GOOD]
    data = batch(0, headers[:3], compression) + batch(3, headers[3:], compression)

    found, end = unpack(data)

    assert list(range(6)) == [record.offset for record in found]
    assert [b"%d" % n for n in range(6)] == [record.value for record in found]
    assert [1000 + n % 3 for n in range(6)] == [record.timestamp for record in found]
    assert found[place].headers == (GOOD, ("a\\xffb", b"2"), GOOD)
    assert all(record.headers == (GOOD,) for record in found if record.offset != place)
    assert {("orders", 3)} == {(record.topic, record.partition) for record in found}
    assert end == 6


def test_reading_begins_in_the_middle_of_such_a_batch():
    found, end = unpack(batch(10, [[ODD]] * 4), offset=12)

    assert [record.offset for record in found] == [12, 13]
    assert end == 14


def test_every_batch_may_have_one():
    data = b"".join(batch(5 * n, [[], [ODD], []]) for n in range(4))

    found, end = unpack(data)

    # Offsets 3, 4, 8, 9, … were compacted away.
    assert [5 * n + m for n in range(4) for m in range(3)] == [r.offset for r in found]
    assert end == 18


def test_bytes_that_are_damaged_are_still_an_error():
    data = bytearray(batch(0, [[GOOD]]))
    data[-1] ^= 1

    with pytest.raises(fetcher.Errors.CorruptRecordException):
        unpack(bytes(data))
