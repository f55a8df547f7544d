"""What is read of a topic by who only looks into it."""

import pytest

from orderapp.engine.kafka import peek as module
from orderapp.engine.kafka.peek import Wanted, peek
from tests.records import record


class Reader:
    """Stands for `TopicReader`: 3 partitions, of which the first has a record at every tenth
    offset alone; a record's timestamp is its offset."""

    def __init__(self, size=1):
        offsets = {0: range(5, 1000, 10), 1: range(50), 2: range(0)}
        self.records = {
            partition: [
                record(b"x" * size, partition=partition, offset=at, timestamp=at)
                for at in found
            ]
            for partition, found in offsets.items()
        }
        self.read_offsets = 0

    async def begins_at(self, _, timestamp):
        firsts = {
            partition: next((r.offset for r in records if r.timestamp >= timestamp), None)
            for partition, records in self.records.items()
        }
        return {partition: at for partition, at in firsts.items() if at is not None}

    async def read(self, _, ends, begins):
        for partition, end in ends.items():
            self.read_offsets += end - begins[partition]
            for one in self.records[partition]:
                if begins[partition] <= one.offset < end:
                    yield partition, [one]


BEGINS, ENDS = {0: 0, 1: 0, 2: 0}, {0: 1000, 1: 50, 2: 0}


async def places(wanted, reader=None, ends=ENDS):
    found = await peek(reader or Reader(), "topic", wanted, BEGINS, ends)
    assert found.complete
    return [(r.partition, r.offset) for r in found.records]


@pytest.mark.parametrize(
    ("wanted", "ends", "found"),
    [
        (Wanted(3), ENDS, [(0, 995), (0, 985), (0, 975)]),
        (Wanted(2, 1), {1: 50}, [(1, 49), (1, 48)]),
        (Wanted(2, 2), {2: 0}, []),
        (Wanted(3, 1, offset=10), {1: 50}, [(1, 10), (1, 11), (1, 12)]),
        (Wanted(3, 1, offset=48), {1: 50}, [(1, 48), (1, 49)]),
        (Wanted(3, 1, offset=50), {1: 50}, []),
        (Wanted(2, 0, offset=500), {0: 1000}, [(0, 505), (0, 515)]),
        (Wanted(4, since=44), ENDS, [(1, 44), (0, 45), (1, 45), (1, 46)]),
        (Wanted(2, since=2000), ENDS, []),
    ],
)
async def test_the_records_that_are_wanted_are_found_also_behind_gaps(wanted, ends, found):
    assert await places(wanted, ends=ends) == found


async def test_no_more_of_a_topic_is_read_than_is_needed():
    reader = Reader()
    await places(Wanted(2, 1), reader, {1: 50})
    assert reader.read_offsets == 2
    await places(Wanted(2, 0), reader, {0: 1000})
    assert reader.read_offsets == 2 + 2 + 16


async def test_large_records_end_it_early_and_that_is_said(monkeypatch):
    monkeypatch.setattr(module, "BYTES", 100)
    found = await peek(Reader(size=60), "topic", Wanted(20, 1), BEGINS, {1: 50})

    assert [r.offset for r in found.records] == [31, 30]
    assert not found.complete
