"""The lookup of a record by its key, on a real Kafka."""

import time

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from orderapp.engine.errors import TransientError
from orderapp.engine.kafka import lookup
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.lookup import find_since
from orderapp.engine.kafka.topic_settings import TopicSpec

#: When the records were written (ms).
THEN = int(time.time() * 1000)
MINUTE = 60_000


@pytest.fixture(scope="module")
def cluster(kafka):
    return Cluster(tuple(kafka.bootstrap_servers.split(",")))


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Here it does not matter how soon a lookup is given up."""
    monkeypatch.setattr(lookup, "PATIENCE", 60.0)


def partition_of(key):
    return (murmur2(key) & 0x7FFFFFFF) % 6


async def fill(cluster, topic, *records):
    """Send `(key, ms since THEN)` where the keys say."""
    await cluster.prepare([TopicSpec(topic, 6)])
    producer = AIOKafkaProducer(**cluster.client_options())
    await producer.start()
    for key, after in records:
        await producer.send_and_wait(topic, b"v", key=key, timestamp_ms=THEN + after)
    await producer.stop()


async def test_a_record_is_found_among_those_that_came_since(cluster):
    keys = [b"%d" % n for n in range(40)]
    await fill(cluster, "lookup", *((key, n * MINUTE) for n, key in enumerate(keys)))

    for n, key in enumerate(keys):
        found = await find_since(cluster, "lookup", key, THEN + n * MINUTE)
        assert (found.key, found.timestamp) == (key, THEN + n * MINUTE)
        assert await find_since(cluster, "lookup", key, THEN + (n + 1) * MINUTE) is None
    assert await find_since(cluster, "lookup", b"x", 0) is None


async def test_a_record_in_an_open_transaction_is_found(cluster):
    await fill(cluster, "lookup-open", (b"a", 0))
    producer = AIOKafkaProducer(**cluster.client_options(), transactional_id="lookup")
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait("lookup-open", b"v", key=b"b", timestamp_ms=THEN)

    assert await find_since(cluster, "lookup-open", b"b", THEN) is not None
    assert await find_since(cluster, "lookup-open", b"a", THEN) is not None
    await producer.abort_transaction()
    await producer.stop()


async def test_no_more_than_the_newest_records_are_looked_through(cluster, monkeypatch):
    monkeypatch.setattr(lookup, "MOST", 3)
    keys = [b"%d" % n for n in range(100)]
    beside = [key for key in keys if partition_of(key) == partition_of(b"a")]
    await fill(cluster, "lookup-most", (b"a", 0), *((key, 0) for key in beside[:2]))
    assert await find_since(cluster, "lookup-most", b"a", THEN) is not None

    await fill(cluster, "lookup-most", (beside[2], 0))
    assert await find_since(cluster, "lookup-most", b"a", THEN) is None


async def test_a_topic_and_a_kafka_that_are_not_there_are_an_error_that_passes(
    cluster, monkeypatch
):
    monkeypatch.setattr(lookup, "PATIENCE", 1.0)
    with pytest.raises(TransientError):
        await find_since(cluster, "no-such-topic", b"a", THEN)
    with pytest.raises(TransientError):
        await find_since(Cluster(("127.0.0.1:1",)), "lookup", b"a", THEN)
