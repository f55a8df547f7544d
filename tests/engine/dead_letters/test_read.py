"""Dead letters as a whole: which are open, for whom, and what the notes say."""

from datetime import UTC, datetime

import pytest

from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.dead_letters.read import (
    DeadLetter,
    DeadLetters,
    Span,
    resolution_for,
    spans_of,
)
from orderapp.engine.dead_letters.resolutions import Place, Resolution, encode_resolution
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.errors import FatalError
from tests.records import record

AT = "2026-11-23T18:00:00.000+00:00"


def dead(service="payment", offset=0, timestamp=5, **more):
    headers = headers_for(record(), Failure(service, ValueError("no")))
    return record(topic="dlq", offset=offset, timestamp=timestamp, headers=headers, **more)


def note_record(key, note):
    value = note if note is None or isinstance(note, bytes) else encode_resolution(note)
    return record(value, key, topic="dlq-resolved")


class Topics:
    """Stands for a reader, with the records of topics in memory."""

    def __init__(self, **topics):
        self.topics = {name.replace("_", "-"): records for name, records in topics.items()}

    def has(self, topic):
        return topic in self.topics

    async def begins(self, topic):
        return {r.partition: 0 for r in self.topics[topic]}

    async def ends(self, topic):
        return {r.partition: r.offset + 1 for r in self.topics[topic]}

    async def read(self, topic, ends=None, begins=None):
        for r in self.topics[topic]:
            if ends is None or begins[r.partition] <= r.offset < ends.get(r.partition, 0):
                yield r.partition, [r]


async def read(topics, spans=None):
    letters = await DeadLetters.open(topics, "dlq")
    return [letter async for chunk in letters.read(spans) for letter in chunk]


@pytest.mark.parametrize("text", ["3:17", "3@17"])
def test_a_place_is_a_partition_and_an_offset(text):
    assert Place.parse(text) == Place(3, 17)
    assert str(Place.parse(text)) == "3:17"


@pytest.mark.parametrize(
    "text", ["", "3", "3:", ":17", "-1:0", "3:1 7", "3-17", "9" * 30 + ":1"]
)
def test_what_is_no_place_says_what_one_is(text):
    with pytest.raises(ValueError, match="PARTITION:OFFSET"):
        Place.parse(text)


@pytest.mark.parametrize(
    ("note", "open_for"),
    [
        (None, ("fraud", "payment")),
        (Resolution("replayed", AT, "fraud", 5), ("payment",)),
        (Resolution("dropped", AT, "fraud,payment", 5), ()),
        (Resolution("dropped", AT), ()),
        (Resolution("dropped", AT, "fraud", 5, "fraud"), ("payment",)),
        # Written for one that lay there before the topic was made anew.
        (Resolution("dropped", AT, "fraud,payment", 4), ("fraud", "payment")),
    ],
)
def test_a_letter_is_open_for_the_services_that_no_note_names(note, open_for):
    letter = DeadLetter.of(dead("fraud,payment"), note)

    assert letter.open_for == open_for
    assert letter.is_open is bool(open_for)


@pytest.mark.parametrize("headers", [(), [("service", b"payment")], [("service", None)]])
def test_what_is_no_dead_letter_is_damaged_and_open_until_it_is_dropped(headers):
    damaged = record(headers=headers, timestamp=5_000)

    letter = DeadLetter.of(damaged)

    assert letter.damage
    assert (letter.services, letter.is_open) == ((), True)
    assert letter.last_failure == datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    note = resolution_for(letter, "dropped", (), AT)
    assert not DeadLetter.of(damaged, note).is_open


def test_notes_add_up():
    first = DeadLetter.of(dead("analytics,fraud,payment"))
    second = DeadLetter.of(first.record, resolution_for(first, "replayed", ["payment"], AT))

    note = resolution_for(second, "dropped", ["analytics"], AT)

    assert note == Resolution("dropped", AT, "analytics,payment", 5, "analytics")
    assert [note.action_for(name) for name in first.services] == ["dropped", None, "replayed"]


def test_a_replay_of_what_was_dropped_is_noted_for_its_service():
    first = DeadLetter.of(dead("fraud,payment"))
    dropped = DeadLetter.of(first.record, resolution_for(first, "dropped", first.services, AT))

    note = resolution_for(dropped, "replayed", ["payment"], AT)

    assert note == Resolution("replayed", AT, "fraud,payment", 5, "fraud")


def test_what_an_earlier_version_noted_counts_for_all_services_that_it_names():
    first = DeadLetter.of(dead("analytics,fraud,payment"))
    second = DeadLetter.of(first.record, Resolution("replayed", AT, "payment", 5))

    note = resolution_for(second, "dropped", ["fraud"], AT)

    assert note == Resolution("dropped", AT, "fraud,payment", 5, "fraud")


def test_a_note_for_one_service_does_not_open_the_others_again():
    first = DeadLetter.of(dead("fraud,payment"))
    second = DeadLetter.of(first.record, Resolution("dropped", AT))

    note = resolution_for(second, "replayed", ["payment"], AT)

    assert note == Resolution("replayed", AT, "fraud,payment", 5, "fraud")


async def test_the_notes_are_laid_beside_the_letters():
    topics = Topics(
        dlq=[dead(offset=n) for n in range(4)],
        dlq_resolved=[
            note_record(b"0:1", Resolution("replayed", AT, "payment", 5)),
            note_record(b"0:2", Resolution("replayed", AT, "payment", 5)),
            note_record(b"0:2", None),  # taken back by hand
        ],
    )

    letters = await read(topics)

    assert [letter.is_open for letter in letters] == [True, False, True, True]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"0:0", b"{"),
        (b"0:0", b'{"action":"eaten","at":""}'),
        (b"zero", encode_resolution(Resolution("dropped", AT))),
        (None, encode_resolution(Resolution("dropped", AT))),
        (b"\xff", encode_resolution(Resolution("dropped", AT))),
    ],
)
async def test_a_note_that_cannot_be_read_counts_for_nothing(key, value, caplog):
    topics = Topics(dlq=[dead()], dlq_resolved=[note_record(key, value)])

    (letter,) = await read(topics)

    assert letter.is_open
    assert "dlq-resolved[0]@0 is not a valid dead letter" in caplog.text


async def test_without_the_topic_of_the_notes_all_are_open():
    (letter,) = await read(Topics(dlq=[dead()]))

    assert letter.is_open


async def test_only_what_is_asked_for_is_read_and_no_more_than_there_is():
    topics = Topics(dlq=[dead(offset=n) for n in range(4)])

    letters = await read(topics, [Span(0, 2, 99)])

    assert [letter.place for letter in letters] == [Place(0, 2), Place(0, 3)]


async def test_a_partition_that_is_not_there_is_named_before_anything_is_read():
    letters = await DeadLetters.open(Topics(dlq=[dead()]), "dlq")

    with pytest.raises(FatalError, match="no partition 7: it has 0 to 0"):
        await anext(letters.read([Span(0, 0, 1), Span(7, 0, 1)]))


def test_places_close_to_each_other_are_read_at_once():
    places = [Place(1, 7), Place(0, 9), Place(0, 3), Place(0, 1_000_000)]

    assert spans_of(places) == [
        Span(0, 3, 10),
        Span(0, 1_000_000, 1_000_001),
        Span(1, 7, 8),
    ]
