"""Records whose headers have names that are no UTF-8, read from the bytes of a fetch."""

import struct

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder
from aiokafka.record.util import calc_crc32c_py

import orderapp.engine.kafka.transport  # noqa: F401 - it makes aiokafka tolerant
from tests.e2e.records import OddName

COMPRESSIONS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
GOOD = ("trace", b"1")
ODD = (OddName(b"a\xffb"), b"2")


def batch(
    base: int, headers: list[list[tuple[str, bytes]]], compression: int = 0, producer: int = -1
) -> bytes:
    """A batch as a broker gives it, one record for each list of headers; a producer with an
    id sends it in a transaction."""
    builder = Builder(2, compression, producer >= 0, producer, 0, 0, 1 << 20)
    for delta, own in enumerate(headers):
        builder.append(delta, 1000 + delta, b"key", b"%d" % (base + delta), own)
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base)
    return bytes(data)


def end_of_transaction(base: int, producer: int, is_commit: bool) -> bytes:
    """The control batch that a broker writes."""
    builder = Builder(2, 0, True, producer, 0, 0, 1 << 20)
    builder.append(0, 1000, struct.pack(">hh", 0, is_commit), b"\0" * 6, [])
    data = builder.build()
    struct.pack_into(">q", data, 0, base)
    (attributes,) = struct.unpack_from(">h", data, 21)
    struct.pack_into(">h", data, 21, attributes | 0x20)
    struct.pack_into(">I", data, 17, calc_crc32c_py(memoryview(data)[21:]))
    return bytes(data)


def unpack(data: bytes, offset: int = 0, aborted=None):
    """What a consumer makes of what it has fetched from `offset` on; with `aborted` (producers'
    ids and first offsets, as the broker tells) one that reads what was committed."""
    records = fetcher.PartitionRecords(
        TopicPartition("orders", 3),
        fetcher.MemoryRecords(data),
        aborted,
        offset,
        None,
        None,
        True,
        READ_UNCOMMITTED if aborted is None else READ_COMMITTED,
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


@pytest.mark.parametrize("deserializers", [(None, None), (None, int), (len, None)])
def test_records_are_those_that_aiokafka_makes(deserializers):
    builder = Builder(2, 0, False, -1, 0, 0, 1 << 20)
    builder.append(0, 1000, b"key", b"12", [GOOD])
    builder.append(1, 1001, b"key", b"34", [])
    if deserializers == (None, None):
        builder.append(2, 1002, None, b"", [])
        builder.append(3, 1003, b"key", None, [])
    data, made = bytes(builder.build()), []
    for kind in (fetcher.PartitionRecords, *fetcher.PartitionRecords.__bases__):
        tp, records = TopicPartition("orders", 3), fetcher.MemoryRecords(data)
        found = kind(tp, records, None, 0, *deserializers, True, READ_UNCOMMITTED)
        made.append(list(found))
    ours, aiokafkas = made
    assert ours == aiokafkas
    assert len(ours) > 1
    assert {type(record) for record in ours} == {ConsumerRecord}


def test_reading_begins_in_the_middle_of_such_a_batch():
    found, end = unpack(batch(10, [[ODD]] * 4), offset=12)

    assert [record.offset for record in found] == [12, 13]
    assert end == 14


@pytest.mark.parametrize("compression", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_what_was_aborted_is_left_out_whatever_its_headers(compression):
    def sent(base, producer):
        return batch(base, [[GOOD], [ODD]], compression, producer)

    log = [
        sent(0, 1),  # aborted
        sent(2, 2),  # committed
        sent(4, -1),  # of no transaction
        end_of_transaction(6, 1, is_commit=False),
        sent(7, 1),  # its next one, committed
        end_of_transaction(9, 2, is_commit=True),
        sent(10, 2),  # its next one, aborted
        end_of_transaction(12, 1, is_commit=True),
        end_of_transaction(13, 2, is_commit=False),
    ]
    # A broker sends from the batch on that has the offset.
    for offset, first, offsets in (
        (0, 0, [2, 3, 4, 5, 7, 8]),
        (3, 1, [3, 4, 5, 7, 8]),
        (11, 6, []),
    ):
        found, end = unpack(b"".join(log[first:]), offset, aborted=[(2, 10), (1, 0)])
        assert [record.offset for record in found] == offsets
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
