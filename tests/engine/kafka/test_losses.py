"""Where a group begins in a partition, what it has lost there, and how that is noted."""

import pytest
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP
from msgspec.structs import replace

from orderapp.engine import app as engine_app
from orderapp.engine.dead_letters import write
from orderapp.engine.dead_letters.resolutions import read_resolution
from orderapp.engine.delivery import retry
from orderapp.engine.errors import SendRefusedError
from orderapp.engine.kafka.beginnings import Known, Start, known_of, start_of, tell
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.losses import Loss, encode_loss, lost_records, read_losses
from orderapp.engine.observe import metrics
from orderapp.engine.observe.blocked import blocked
from tests.records import record


def at(offset, topic_id="a"):
    return OffsetAndMetadata(offset, topic_id)


CASES = {
    "nothing was deleted": (Known(at(5), 0, "a", True), Start(5)),
    "what was read is deleted": (Known(at(5), 5, "a", True), Start(5)),
    "nothing was read yet": (Known(at(0), 0, "a", True), Start(0)),
    "a new group on a new topic": (Known(None, 0, "a", False), Start(0, None, True)),
    "a new group on an old topic has lost nothing": (
        Known(None, 30, "a", False),
        Start(30, None, True),
    ),
    "unread records were deleted": (Known(at(5), 8, "a", True), Start(8, 5, True)),
    "all of a partition that was empty when the group began": (
        Known(None, 8, "a", True),
        Start(8, 0, True),
    ),
    "a topic made anew": (Known(at(5, "old"), 0, "a", False), Start(0, None, True)),
    "a topic made anew, of which the group has read": (
        Known(at(5, "old"), 3, "a", True),
        Start(3, 0, True),
    ),
    "an older version committed no id": (Known(at(5, ""), 8, "a", True), Start(8, 5, True)),
    "a broker that gives no ids": (Known(at(5), 0, "", True), Start(5)),
}


@pytest.mark.parametrize(("known", "start"), CASES.values(), ids=CASES)
def test_a_group_begins_where_it_was_or_with_what_is_left(known, start):
    assert start_of(known) == start


def test_offsets_of_the_topic_that_was_deleted_do_not_make_a_group_a_reader_of_the_new_one():
    tps = [TP("t", 0), TP("t", 1), TP("u", 0)]
    offsets = {tps[0]: at(3, "old"), tps[1]: at(-1, ""), tps[2]: at(4)}

    known = known_of(dict.fromkeys(tps, 2), offsets, {"t": "a", "u": "a"}, {tps[1]: 9})

    assert known == {
        tps[0]: Known(at(3, "old"), 2, "a", False),
        tps[1]: Known(None, 2, "a", False, 9),
        tps[2]: Known(at(4), 2, "a", True),
    }


def told(caplog, **partitions):
    """What is said of `p0=Known(…)` and so on."""
    known = {TP("orders", int(name[1:])): at for name, at in partitions.items()}
    with caplog.at_level("INFO", "orderapp"):
        tell("g", known, {tp: start_of(at) for tp, at in known.items()})
    return [record.getMessage() for record in caplog.records]


def test_a_new_group_says_once_where_it_begins_and_how_much_waits(caplog):
    said = told(
        caplog,
        p1=Known(None, 30, "a", False, 42),
        p0=Known(None, 0, "a", False, 5),
        p2=Known(None, 0, "a", False, 0),
    )

    assert said == [
        "group g has read nothing here before, and starts with the oldest records: about 17 "
        "wait in orders[0] from 0, orders[1] from 30 (what was deleted before does "
        "not count as a loss of this group)"
    ]


def test_a_group_says_nothing_where_nothing_waits_or_where_it_has_read(caplog):
    assert told(caplog, p0=Known(None, 0, "a", False, 0)) == []
    assert told(caplog, p0=Known(at(5), 0, "a", True), p6=Known(None, 0, "a", True, 3)) == []


LOSS = Loss("g", "orders", 3, 5, 13, "a", before=1_795_910_056_351)


def test_a_loss_says_what_and_how_many_and_from_when():
    assert str(LOSS) == (
        "orders[3]: up to 8 records were deleted by retention (or by hand) before the group g "
        "had read them: offsets 5 to 12, sent before 2026-11-28T23:54:16.351Z"
    )
    assert str(Loss("g", "t", 0, 0, 1)).endswith("sent at a time that is not known")


def test_a_note_is_read_again_and_is_none_of_a_dead_letter(caplog):
    found = {}
    notes = [
        record(encode_loss(LOSS), key=LOSS.key),
        record(b"{}", key=b"lost:g:orders:1:0:a"),
        record(b"{}", key=b"0:7"),
        record(b"x", key=None),
    ]

    read_losses(notes, found)

    assert found == {LOSS.key: LOSS}
    assert caplog.text.count("is not a valid record of a loss") == 1
    assert read_resolution(notes[0]) is None
    assert "is not a valid dead letter" not in caplog.text
    read_losses([record(None, key=LOSS.key)], found)
    assert found == {}


def test_records_that_were_found_twice_are_lost_once():
    again = Loss("g", "orders", 3, 3, 8, "a")
    others = [Loss("g", "orders", 3, 5, 13, "b"), Loss("h", "orders", 3, 5, 6, "a")]

    assert lost_records([LOSS, again, LOSS]) == {("g", "orders"): 10}
    assert lost_records([LOSS, *others]) == {("g", "orders"): 16, ("h", "orders"): 1}


async def test_a_loss_is_told_when_its_note_is_confirmed_and_a_refusal_blocks(
    monkeypatch, caplog
):
    place, sent, left = ("note", "dead-resolved"), [], {("orders", 3): 1_795_910_056_351}

    class Refusing:
        async def send_record(self, topic, **note):
            assert metrics.LOST.labels("g", "orders")._value.get() == 0
            sent.append((topic, note["key"], place in blocked))
            if len(sent) < 3:
                raise SendRefusedError("allow WRITE")

    async def first_left(cluster, losses):
        return left

    monkeypatch.setattr(engine_app.BatchApp, "_sender", Refusing())
    monkeypatch.setattr(write, "first_left", first_left)
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    app = engine_app.BatchApp("test", cluster=lambda: Cluster(("127.0.0.1:1",)))
    app.dead_letter_topic("dead", partitions=6)
    app.cluster = Cluster(("127.0.0.1:1",))

    await app.report_lost([replace(LOSS, before=None)])

    key = LOSS.key
    assert sent == [("dead-resolved", key, n > 0) for n in range(3)]
    assert place not in blocked
    assert metrics.LOST.labels("g", "orders")._value.get() == 8
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert errors == [f"{LOSS} (noted in dead-resolved)"]
    assert "nothing behind it is read: allow WRITE" in caplog.text
