"""Open transactions: how old they are, and what may be read behind their beginning."""

import logging
import time
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from orderapp.engine.kafka import transactions
from orderapp.engine.kafka.transactions import OpenTransactions, outside_transactions

A0, A1 = TopicPartition("a", 0), TopicPartition("a", 1)


def batch(offset, *keys, timestamp=0, transactional=False, producer=7):
    """A producer's batch; the broker writes its first offset."""
    builder = DefaultRecordBatchBuilder(2, 0, transactional, producer, 0, 0, 1 << 20)
    for number, key in enumerate(keys):
        builder.append(number, timestamp, key, b"value", [])
    return offset.to_bytes(8, "big") + bytes(builder.build())[8:]


class Client:
    """A broker's log of each partition; answers fetches with whole batches."""

    def __init__(self, **logs):
        self.log = {A0: [], A1: [], **logs}
        self.cluster = SimpleNamespace(leader_for_partition=lambda _tp: 1)
        self.asked = []
        self.code = 0

    async def send(self, _node, request):
        ((topic, ((partition, offset, size),)),) = request.topics
        tp = TopicPartition(topic, partition)
        self.asked.append((tp, offset))
        data = b""
        for first, count, raw in self.log[tp]:
            if first + count > offset and len(data) < size:
                data += raw
        answer = (partition, self.code, 0, 0, 0, None, -1, data)
        return SimpleNamespace(topics=[(topic, [answer])])


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def consumer(client):
    return SimpleNamespace(_client=client)


async def test_the_age_is_that_of_the_first_record_of_the_oldest_transaction(client, consumer):
    client.log[A0] = [(5, 2, batch(5, b"x", b"y", timestamp=7000, transactional=True))]
    found = OpenTransactions()

    await found.look(consumer, {A0: (5, 9), A1: (3, 3)})
    await found.look(consumer, {A0: (5, 12), A1: (3, 3)})

    assert found.began == {A0: 7000}
    assert client.asked == [(A0, 5)], "asked once"

    client.log[A0] = [(7, 1, batch(7, b"z", timestamp=8000, transactional=True))]
    await found.look(consumer, {A0: (7, 12), A1: (3, 3)})
    assert found.began == {A0: 8000}

    await found.look(consumer, {A0: (12, 12), A1: (3, 3)})
    assert found.began == {}


@pytest.mark.parametrize("code", [0, UnknownTopicOrPartitionError.errno])
async def test_one_whose_record_is_not_there_or_of_the_future_begins_now(
    client, consumer, code
):
    client.code = code
    client.log[A1] = [(0, 1, batch(0, b"x", timestamp=2**50, transactional=True))]
    found = OpenTransactions()

    await found.look(consumer, {A0: (5, 9), A1: (0, 1)})

    assert {*found.began} == {A0, A1}
    assert all(time.time() - began / 1000 < 60 for began in found.began.values())


async def test_what_is_open_for_long_is_said_once(client, consumer, caplog):
    caplog.set_level(logging.INFO, transactions.logger.name)
    long_ago = int(time.time() - transactions.LONG - 5) * 1000
    client.log[A0] = [(5, 1, batch(5, b"x", timestamp=long_ago, transactional=True))]
    found = OpenTransactions()

    for bounds in ({A0: (5, 9), A1: (2, 3)}, {A0: (5, 9)}):
        await found.look(consumer, bounds)
        found.tell()
        found.tell()

    (line,) = caplog.messages
    assert line.startswith("a transaction of a producer has been open for 1")
    assert line.endswith("It begins at a[0]@5")


async def test_what_is_sent_anew_with_old_timestamps_is_no_old_transaction(client, consumer):
    client.log[A0] = [(5, 1, batch(5, b"x", timestamp=1000, transactional=True))]
    found = OpenTransactions()

    await found.look(consumer, {A0: (5, 5)})
    await found.look(consumer, {A0: (5, 6)})
    assert time.time() - found.began[A0] / 1000 < 60

    client.log[A0] = [(7, 1, batch(7, b"y", timestamp=1000, transactional=True))]
    await found.look(consumer, {A0: (7, 9)})
    assert time.time() - found.began[A0] / 1000 < 60

    client.log[A0] = [(8, 1, batch(8, b"z", timestamp=1000, transactional=True))]
    await found.look(consumer, {A0: (8, 9)})
    assert found.began == {A0: 1000}, "it was there before: only its timestamp is known"


async def test_only_what_belongs_to_no_transaction_is_certain(client, consumer):
    client.log[A0] = [
        (2, 1, batch(2, b"a", producer=-1)),
        (3, 2, batch(3, b"b", b"c", transactional=True)),
        (5, 1, batch(5, b"d")),  # idempotent, and no transaction
        (6, 1, batch(6, b"e", transactional=True, producer=8)),
        (7, 1, batch(7, b"f", producer=-1)),
        (8, 1, batch(8, b"g", transactional=True)),
    ]

    found = await outside_transactions(consumer, A0, 2, 9)

    assert [(record.offset, record.key) for record in found] == [
        (2, b"a"), (5, b"d"), (7, b"f")
    ]  # fmt: skip
    assert await outside_transactions(consumer, A0, 9, 12) == [], "deleted meanwhile"
