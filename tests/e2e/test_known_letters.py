"""The number of open dead letters, on a real Kafka."""

import asyncio
from itertools import count

import pytest
from aiokafka import AIOKafkaProducer

from orderapp.engine.dead_letters import known as known_letters
from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.dead_letters.known import KnownDeadLetters
from orderapp.engine.dead_letters.resolutions import Resolution, encode_resolution
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.topic_settings import TopicSpec
from tests.e2e import records
from tests.records import record

_numbers = count()


class Counting(KnownDeadLetters):
    """Of a topic of its own, into which it writes; notes what it reads."""

    def __init__(self, kafka):
        self.cluster = Cluster((kafka.bootstrap_servers,))
        self.server = kafka.bootstrap_servers
        self.topic = f"dead-{next(_numbers)}"
        self.notes = f"{self.topic}-resolved"
        self.reads = 0
        super().__init__(lambda: self.cluster, self.topic)

    async def prepare(self):
        await self.cluster.prepare([TopicSpec(self.topic, 1), TopicSpec(self.notes, 1)])
        # The broker itself may know of them a moment later than the controller that made them.
        async with AIOKafkaProducer(bootstrap_servers=self.server) as producer:
            for topic in (self.topic, self.notes):
                await producer.partitions_for(topic)

    async def _read_on(self, reader):
        self.reads += 1
        await super()._read_on(reader)

    async def count(self):
        """How many are open; None while it is not known."""
        return sum(one.is_open for one in self.letters) if await self.look() else None

    async def put(self, services, count=1):
        failure = Failure(services, ValueError("no"))
        headers = headers_for(record(topic="orders"), failure) if services else []
        sent = [(b"%d" % number, b"no order") for number in range(count)]
        await asyncio.to_thread(records.send, self.server, sent, self.topic, headers)

    async def note(self, offset, *notes):
        await self.send_notes(*((b"0:%d" % offset, n and encode_resolution(n)) for n in notes))

    async def send_notes(self, *sent):
        await asyncio.to_thread(records.send, self.server, sent, self.notes)


@pytest.fixture
async def make(monkeypatch):
    monkeypatch.setattr(known_letters, "FRESH", 0.0)
    monkeypatch.setattr(known_letters, "SOON", 60.0)
    made = []

    async def make_one(kafka):
        made.append(Counting(kafka))
        await made[-1].prepare()
        return made[-1]

    yield make_one
    for one in made:
        await one.on_stop()


@pytest.fixture
async def letters(kafka, make):
    return await make(kafka)


def replayed(services=None, **more):
    return Resolution("replayed", "2026-11-26T12:00:00.000+00:00", services, **more)


async def test_a_letter_counts_until_all_its_services_are_done(letters):
    assert await letters.count() == 0
    await letters.put("analytics,fraud,payment", 3)
    await letters.put(None)  # a damaged one
    assert await letters.count() == 4

    await letters.note(0, replayed("fraud"), replayed("fraud"), replayed("fraud,payment"))
    assert await letters.count() == 4
    await letters.note(0, replayed("analytics,fraud,payment"))
    assert await letters.count() == 3
    await letters.note(1, replayed())
    await letters.note(3, replayed())
    assert await letters.count() == 1
    await letters.note(1, None)  # taken back by hand
    await letters.note(2, replayed(timestamp=5))  # of another letter that lay there
    await letters.note(99, replayed())
    await letters.send_notes((b"x", b"{"), (None, None))
    assert await letters.count() == 2


async def test_only_what_is_new_is_read(letters, monkeypatch):
    await letters.put("payment", 20)
    await letters.note(7, replayed())
    assert await letters.count() == 19
    seen, read = [], letters._reader.read

    async def counted(topic, ends, begins):
        async for partition, found in read(topic, ends, begins):
            seen.extend((topic, one.offset) for one in found)
            yield partition, found

    monkeypatch.setattr(letters._reader, "read", counted)
    assert await letters.count() == 19
    assert seen == []
    await letters.put("payment", 2)
    await letters.note(8, replayed())

    assert await letters.count() == 20
    assert seen == [(letters.topic, 20), (letters.topic, 21), (letters.notes, 1)]


async def test_only_the_newest_are_counted_and_kept(letters, monkeypatch):
    monkeypatch.setattr(known_letters, "MOST", 5)
    await letters.put("payment", 8)
    assert await letters.count() == 5
    await letters.put("payment", 2)
    await letters.note(3, replayed())
    await letters.note(9, replayed())

    assert await letters.count() == 4
    assert list(letters._letters[0]) == [5, 6, 7, 8, 9]


async def test_while_kafka_is_away_it_is_not_known(own_kafka, make):
    letters = await make(own_kafka)
    await letters.put("payment")
    assert await letters.count() == 1
    own_kafka.kill()
    assert await letters.count() is None
    await asyncio.to_thread(own_kafka.restart)
    await letters.put("payment")

    found = await letters.count()
    if found is None:  # its connection was to the one that was killed
        found = await letters.count()
    assert found == 2


async def test_many_who_ask_share_one_reading(letters, monkeypatch):
    monkeypatch.setattr(known_letters, "FRESH", 60.0)

    assert await asyncio.gather(*(letters.count() for _ in range(50))) == [0] * 50
    assert await letters.count() == 0
    assert letters.reads == 1
