"""The ledger: an offset is committed only when it and all before it are done."""

from hypothesis import given
from hypothesis import strategies as st

from orderapp.engine.kafka.ledger import Ledger


def test_nothing_is_committed_before_the_first_read():
    assert Ledger().committable is None


def test_a_partition_whose_first_batch_is_the_record_at_offset_0_commits():
    ledger = Ledger()
    ledger.read(0, 0, "a")
    assert ledger.committable == 0

    assert ledger.done(0) == "a"

    assert ledger.committable == 1


def test_a_later_batch_that_is_done_first_waits_for_the_earlier_one():
    ledger = Ledger()
    ledger.read(10, 19, "a")
    ledger.read(20, 29, "b")

    ledger.done(29)
    assert ledger.committable == 10

    ledger.done(19)
    assert ledger.committable == 30


def test_offsets_that_were_never_delivered_hold_nothing_back():
    ledger = Ledger()
    ledger.read(5, 9, "a")  # 0 to 4 compacted away
    ledger.read(17, 20, "b")  # a transaction marker, and more
    ledger.done(9)

    assert ledger.committable == 17


def test_what_was_read_before_is_not_read_again():
    ledger = Ledger()
    assert ledger.read(0, 9, "a")
    ledger.done(9)

    assert not ledger.read(0, 9, "again")
    assert (ledger.pending, ledger.committable) == ([], 10)


def test_an_unknown_ack_changes_nothing():
    ledger = Ledger()
    ledger.read(0, 9, "a")

    assert ledger.done(5) is None
    assert ledger.committable == 0


# Chunks as (gap before it, gaps between its records), and the order in which they are done.
CHUNKS = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.integers(0, 3), min_size=1, max_size=8)),
    max_size=25,
)


@given(start=st.integers(0, 10), chunks=CHUNKS, data=st.data())
def test_committed_offsets_never_pass_unfinished_work_and_reach_the_end(start, chunks, data):
    ledger, offset = Ledger(), start
    work: dict[int, list[int]] = {}  # last offset of a chunk -> offsets of its records
    unread = []
    for gap, between in chunks:
        offset += gap
        offsets = []
        for step in between:
            offsets.append(offset)
            offset += 1 + step
        unread.append(offsets)
    unfinished: set[int] = set()
    last_committable = -1
    while unread or work:
        if unread and (not work or data.draw(st.booleans(), label="read next")):
            offsets = unread.pop(0)
            assert ledger.read(offsets[0], offsets[-1], len(offsets))
            work[offsets[-1]] = offsets
            unfinished.update(offsets)
        else:
            last = data.draw(st.sampled_from(sorted(work)), label="done")
            assert ledger.done(last) == len(work[last])
            unfinished.difference_update(work.pop(last))
        committable = ledger.committable
        assert committable is not None
        assert all(offset >= committable for offset in unfinished)
        assert committable >= last_committable
        last_committable = committable
    if chunks:
        assert ledger.pending == []
        assert ledger.committable == offsets[-1] + 1


def test_what_is_uncommitted_is_done_or_not_finished():
    ledger = Ledger()
    assert ledger.uncommitted(None) == (0, 0)
    ledger.read(5, 9, "a")
    ledger.read(10, 19, "b")
    ledger.read(20, 29, "c")
    assert ledger.uncommitted(None) == ledger.uncommitted(0) == (0, 25)

    ledger.done(9)
    ledger.done(29)  # not safe: what is before it is not done
    assert ledger.uncommitted(None) == ledger.uncommitted(5) == (5, 20)
    assert ledger.uncommitted(10) == (0, 20)

    ledger.done(19)
    assert ledger.uncommitted(10) == (20, 0)
    assert ledger.uncommitted(30) == (0, 0)
