"""The search for a record by its key, on a real Kafka."""

import asyncio
from contextlib import asynccontextmanager
from itertools import count

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from orderapp.engine.kafka import search
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.search import Search, SearchFailedError
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.web.api.order_ids import id_for, may_be_ours
from tests.e2e import records

_numbers = count()


def cluster_of(kafka):
    return Cluster((kafka.bootstrap_servers,))


async def new_topic(kafka, partitions=1):
    topic = f"topic-{next(_numbers)}"
    await cluster_of(kafka).prepare([TopicSpec(topic, partitions)])
    return [TopicPartition(topic, n) for n in range(partitions)]


@asynccontextmanager
async def producing(kafka, **options):
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(kafka, tp, *keys, **options):
    async with producing(kafka, **options) as producer:
        for number, key in enumerate(keys):
            value = b"%d" % number
            await producer.send_and_wait(tp.topic, value, key, partition=tp.partition)


class Counting(Search):
    """Notes how often it asked, and how many records it read."""

    def __init__(self, kafka, remembers=lambda _key: True):
        super().__init__(lambda: kafka and cluster_of(kafka), remembers)
        self.turns = self.read = 0

    async def _search(self, turn):
        self.turns += 1
        return await super()._search(turn)

    def _remember(self, seen, records):
        self.read += len(records)
        super()._remember(seen, records)


@pytest.fixture
async def searching():
    made = []

    def make(kafka, *args):
        made.append(Counting(kafka, *args))
        return made[-1]

    yield make
    for one in made:
        await one.on_stop()


async def test_the_last_record_with_a_key_is_found(kafka, searching):
    (tp,) = await new_topic(kafka)
    await send(kafka, tp, b"a", b"b", b"c", b"b", None)
    search = searching(kafka)

    for start, offset in ((0, 3), (2, 3), (3, 3), (0, 3)):
        found = await search.find(tp, b"b", start)
        assert (found.offset, found.key, found.value) == (offset, b"b", b"3")
    assert await search.find(tp, b"x", 0) is None
    for start in (4, 99):
        assert await search.find(tp, b"b", start) is None
    assert (await search.find(tp, b"a", 0)).offset == 0, "also when asked from further back"


async def test_an_empty_partition_holds_nothing(kafka, searching):
    (tp,) = await new_topic(kafka)

    assert await searching(kafka).find(tp, b"a", 0) is None


async def test_what_was_sent_before_the_question_is_found_and_read_only_once(kafka, searching):
    tps = await new_topic(kafka, partitions=6)
    search = searching(kafka)
    async with producing(kafka) as producer:
        for number in range(120):
            tp, key = tps[number % 6], b"%d" % number
            assert await search.find(tp, key, 0) is None
            await producer.send_and_wait(tp.topic, b"", key, partition=tp.partition)
            assert (await search.find(tp, key, 0)).key == key

    assert search.read == 120


async def test_all_who_ask_at_the_same_time_share_a_turn(kafka, searching):
    tps = await new_topic(kafka, partitions=6)
    for tp in tps:
        await send(kafka, tp, *(b"%d" % number for number in range(20)))
    search = searching(kafka)
    wanted = [(tp, b"%d" % number) for tp in tps for number in range(30)]

    found = await asyncio.gather(*(search.find(tp, key, 0) for tp, key in wanted))

    assert [record and (record.partition, record.key) for record in found] == [
        (tp.partition, key) if int(key) < 20 else None for tp, key in wanted
    ]
    assert (search.turns, search.read) == (1, 120)


async def test_keys_that_nobody_asks_for_and_records_that_are_done_are_not_kept(
    kafka, searching
):
    (tp,) = await new_topic(kafka)
    ours = [b"%d" % id_for(f"{number}") for number in range(5)]
    await send(kafka, tp, b"1700000000000000", *ours, b"4503599627370495", b"x", b"9" * 17)
    search = searching(kafka, may_be_ours)

    assert (await search.find(tp, ours[0], 0)).offset == 1
    assert list(search._seen[tp].places) == ours
    assert await search.find(tp, ours[0], 3) is None
    assert list(search._seen[tp].places) == ours[2:]


async def test_only_the_last_records_are_looked_through(kafka, searching, monkeypatch):
    (tp,) = await new_topic(kafka)
    await send(kafka, tp, *(b"%d" % number for number in range(10)))
    monkeypatch.setattr(search, "MOST", 4)
    looking = searching(kafka)

    assert await looking.find(tp, b"5", 0) is None
    assert (await looking.find(tp, b"6", 0)).offset == 6
    assert looking.read == 4


async def test_ends_of_transactions_are_no_obstacle(kafka, searching):
    (tp,) = await new_topic(kafka)
    search = searching(kafka)
    async with producing(kafka, transactional_id="one") as producer:
        for key, end in ((b"a", 2), (b"b", 4)):
            async with producer.transaction():
                await producer.send_and_wait(tp.topic, b"", key, partition=0)
            await asyncio.to_thread(
                records.wait_for_ends, kafka.bootstrap_servers, tp.topic, end
            )
            assert (await search.find(tp, key, 0)).key == key
            assert await search.find(tp, b"x", 0) is None

    assert [*search._seen[tp].places.items()] == [(b"a", 0), (b"b", 2)]
    assert search._seen[tp].end == 4


async def test_an_open_transaction_of_others_hides_nothing_that_is_certain(kafka, searching):
    (tp,) = await new_topic(kafka)
    search = searching(kafka)
    await send(kafka, tp, b"a")
    async with producing(kafka, transactional_id="two") as producer:
        await producer.begin_transaction()
        for key in (b"theirs", b"a", b"both"):
            await producer.send_and_wait(tp.topic, b"", key, partition=0)
        await send(kafka, tp, b"both", b"ours")

        found = {key: await search.find(tp, key, 0) for key in (b"a", b"both", b"ours")}
        assert {key: record.offset for key, record in found.items()} == {
            b"a": 0, b"both": 4, b"ours": 5
        }  # fmt: skip
        assert await search.find(tp, b"theirs", 0) is None
        assert await search.find(tp, b"both", 5) is None
        await producer.abort_transaction()
        await asyncio.to_thread(records.wait_for_ends, kafka.bootstrap_servers, tp.topic, 7)

        assert await search.find(tp, b"theirs", 0) is None
        assert (await search.find(tp, b"ours", 0)).offset == 5
        async with producer.transaction():
            await producer.send_and_wait(tp.topic, b"", b"theirs", partition=0)
        await asyncio.to_thread(records.wait_for_ends, kafka.bootstrap_servers, tp.topic, 9)
        assert (await search.find(tp, b"theirs", 0)).offset == 7


async def test_who_waits_for_a_turn_that_hangs_gets_one_of_its_own(
    kafka, searching, monkeypatch
):
    (tp,) = await new_topic(kafka)
    await send(kafka, tp, b"a")
    monkeypatch.setattr(search, "PATIENCE", 0.2)
    looking = searching(kafka)
    begun, whole = asyncio.Event(), looking._search

    async def hang(_turn):
        begun.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(looking, "_search", hang)
    hung = asyncio.create_task(looking.find(tp, b"a", 0))
    await begun.wait()
    waits = asyncio.create_task(looking.find(tp, b"a", 0))
    await asyncio.sleep(0)
    monkeypatch.setattr(search, "PATIENCE", 10.0)
    monkeypatch.setattr(looking, "_search", whole)

    with pytest.raises(SearchFailedError):
        await hung
    assert (await waits).key == b"a"


async def test_without_kafka_it_says_so_and_goes_on_later(own_kafka, searching):
    (tp,) = await new_topic(own_kafka)
    await send(own_kafka, tp, b"a")
    search = searching(own_kafka)
    assert await search.find(tp, b"x", 0) is None
    own_kafka.kill()
    for failed in await asyncio.gather(
        *(search.find(tp, b"a", 0) for _ in range(3)), return_exceptions=True
    ):
        assert isinstance(failed, SearchFailedError)
    assert search._consumer is None

    await asyncio.to_thread(own_kafka.restart)
    await send(own_kafka, tp, b"b")

    assert (await search.find(tp, b"a", 0)).offset == 0
    assert (await search.find(tp, b"b", 0)).offset == 1
    assert search.read == 2


async def test_before_the_cluster_is_known_it_says_so(searching):
    with pytest.raises(SearchFailedError, match="not reachable"):
        await searching(None).find(TopicPartition("topic", 0), b"a", 0)
