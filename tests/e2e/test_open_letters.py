"""The number of open dead letters, on a real Kafka."""

import asyncio

import pytest

from orderapp.engine import open_letters
from orderapp.engine.cluster import Cluster, TopicSpec
from orderapp.engine.dead_letters import Failure, headers_for
from orderapp.engine.notes import Note, encode_note
from orderapp.engine.open_letters import OpenLetters
from tests.e2e import records
from tests.records import record

LETTERS, NOTES = "dead", "dead-resolved"


@pytest.fixture
async def letters(own_kafka, monkeypatch):
    monkeypatch.setattr(open_letters, "FRESH", 0.0)
    monkeypatch.setattr(open_letters, "SOON", 30.0)
    cluster = Cluster((own_kafka.bootstrap_servers,))
    await cluster.prepare([TopicSpec(LETTERS, 1), TopicSpec(NOTES, 1)])
    counting = OpenLetters(lambda: cluster, LETTERS)
    yield counting
    await counting.on_stop()


async def put(kafka, services, count=1):
    failure = Failure(services, ValueError("no"))
    headers = headers_for(record(topic="orders"), failure) if services else []
    sent = [(b"%d" % number, b"no order") for number in range(count)]
    await asyncio.to_thread(records.send, kafka.bootstrap_servers, sent, LETTERS, headers)


async def note(kafka, offset, *notes):
    sent = [(b"0:%d" % offset, n and encode_note(n)) for n in notes]
    await asyncio.to_thread(records.send, kafka.bootstrap_servers, sent, NOTES)


def replayed(services=None, **more):
    return Note("replayed", "2026-11-26T12:00:00.000+00:00", services, **more)


async def test_a_letter_counts_until_all_its_services_are_done(own_kafka, letters):
    assert await letters.count() == 0
    await put(own_kafka, "analytics,fraud,payment", 3)
    await put(own_kafka, None)  # a damaged one
    assert await letters.count() == 4

    await note(own_kafka, 0, replayed("fraud"), replayed("fraud"), replayed("fraud,payment"))
    assert await letters.count() == 4
    await note(own_kafka, 0, replayed("analytics,fraud,payment"))
    assert await letters.count() == 3
    await note(own_kafka, 1, replayed())
    await note(own_kafka, 3, replayed())
    assert await letters.count() == 1
    await note(own_kafka, 1, None)  # taken back by hand
    await note(own_kafka, 2, replayed(timestamp=5))  # of another letter that lay there
    await note(own_kafka, 99, replayed())
    await asyncio.to_thread(
        records.send, own_kafka.bootstrap_servers, [(b"x", b"{"), (None, None)], NOTES
    )
    assert await letters.count() == 2


async def test_only_what_is_new_is_read(own_kafka, letters, monkeypatch):
    await put(own_kafka, "payment", 20)
    await note(own_kafka, 7, replayed())
    assert await letters.count() == 19
    seen, read = [], letters._reader.read

    async def counted(topic, ends, begins):
        async for partition, found in read(topic, ends, begins):
            seen.extend((topic, one.offset) for one in found)
            yield partition, found

    monkeypatch.setattr(letters._reader, "read", counted)
    assert await letters.count() == 19
    assert seen == []
    await put(own_kafka, "payment", 2)
    await note(own_kafka, 8, replayed())

    assert await letters.count() == 20
    assert seen == [(LETTERS, 20), (LETTERS, 21), (NOTES, 1)]


async def test_only_the_newest_are_counted_and_kept(own_kafka, letters, monkeypatch):
    monkeypatch.setattr(open_letters, "MOST", 5)
    await put(own_kafka, "payment", 8)
    assert await letters.count() == 5
    await put(own_kafka, "payment", 2)
    await note(own_kafka, 3, replayed())
    await note(own_kafka, 9, replayed())

    assert await letters.count() == 4
    assert list(letters._letters[0]) == [5, 6, 7, 8, 9]


async def test_while_kafka_is_away_it_is_not_known(letters, own_kafka):
    await put(own_kafka, "payment")
    assert await letters.count() == 1
    own_kafka.kill()
    assert await letters.count() is None
    await asyncio.to_thread(own_kafka.restart)
    await put(own_kafka, "payment")

    assert await letters.count() == 2


async def test_many_who_ask_share_one_reading(letters, monkeypatch):
    reads, read_on = [], letters._read_on

    async def counted(reader):
        reads.append(reader)
        await read_on(reader)

    monkeypatch.setattr(letters, "_read_on", counted)
    monkeypatch.setattr(open_letters, "FRESH", 60.0)

    assert await asyncio.gather(*(letters.count() for _ in range(50))) == [0] * 50
    assert await letters.count() == 0
    assert len(reads) == 1
