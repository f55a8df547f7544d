"""The consumer's and producer's own parts, on Faust's real classes, without a broker."""

import asyncio

import faust
import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from orderapp.engine.app import BatchApp
from orderapp.engine.errors import SendFailedError
from orderapp.engine.kafka import beginnings, held
from orderapp.engine.kafka.beginnings import Known
from orderapp.engine.kafka.cluster import Cluster
from tests.records import record

TP0 = TP("readings", 0)


class Reading(faust.Record, include_metadata=False):
    sensor: int


def make_app(**options):
    app = BatchApp("test", cluster=lambda: Cluster(("127.0.0.1:1",)), **options)
    app.finalize()
    topic = app.batched_topic("readings", Reading, partitions=6)
    app.dead_letter_topic("dead", partitions=6)
    # What Faust does when an agent subscribes.
    app.topics.add(topic)
    app.topics._acking_topics.add("readings")
    return app


@pytest.fixture
async def consumer():
    # Made in the tests' loop, to which Faust's services are bound.
    return make_app().consumer


def chunk(first, last, size=100):
    return [record(b"x" * size, topic="readings", offset=n) for n in range(first, last + 1)]


def committable(consumer):
    tps = list(consumer._filter_tps_with_pending_acks())
    return consumer._filter_committable_offsets(tps).get(TP0)


def test_a_batch_is_one_message_with_the_place_of_its_last_record(consumer):
    records = chunk(5, 9)

    message = consumer._to_message(TP0, records)

    assert (message.topic, message.partition, message.offset) == ("readings", 0, 9)
    assert message.value is records


def test_all_offsets_of_a_batch_are_committed_with_its_ack(consumer):
    message = consumer._to_message(TP0, chunk(0, 99))
    assert committable(consumer) == 0

    consumer.ack(message)

    assert committable(consumer) == 100


def test_a_first_batch_of_one_record_at_offset_0_is_committed(consumer):
    consumer.ack(consumer._to_message(TP0, chunk(0, 0)))

    assert committable(consumer) == 1


def test_a_committed_offset_is_not_committed_again(consumer):
    consumer.ack(consumer._to_message(TP0, chunk(0, 9)))
    consumer._committed_offset[TP0] = 10

    assert committable(consumer) is None


def test_faust_itself_commits_past_an_unfinished_batch(consumer):
    """Why the ledger exists. When this fails, Faust was mended: look what can go."""
    faulty = driver.Consumer._new_offset
    consumer._committed_offset[TP0] = 10
    # Faust's way to say "one message for many offsets": gaps up to the last of each.
    asyncio.run(driver.Consumer._add_gap(consumer, TP0, 10, 18))
    asyncio.run(driver.Consumer._add_gap(consumer, TP0, 20, 28))
    consumer._acked[TP0].append(29)  # the second batch (20 to 29) is done, the first is not

    assert faulty(consumer, TP0) == 19


def test_acks_of_fausts_own_iterator_count(consumer):
    """Its Cython code writes to `_acked` itself, without a call of `ack`."""
    consumer._to_message(TP0, chunk(0, 9))
    consumer._acked[TP0].append(9)
    consumer._acked_index[TP0].add(9)

    assert committable(consumer) == 10


class Group:
    """The consumer's thread: what Kafka says to commits."""

    def __init__(self, *answers):
        self.answers = [*answers]
        self.asked = []

    def assignment(self):
        return {TP0}

    async def commit(self, offsets):
        self.asked.append(offsets[TP0])
        return self.answers.pop(0)


@pytest.mark.parametrize("before", [None, 3])
async def test_a_commit_that_is_refused_is_tried_again_and_is_no_progress(consumer, before):
    consumer._thread = Group(False, True)
    consumer._committed_offset[TP0] = before
    consumer.ack(consumer._to_message(TP0, chunk(3, 9)))

    assert await consumer.commit() is False
    assert consumer.committed(TP0) == before
    assert await consumer.commit() is True
    assert consumer.committed(TP0) == 10
    assert consumer._thread.asked == [10, 10]


async def test_a_refused_commit_does_not_bring_back_what_was_committed_before_a_seek(consumer):
    class Seeking(Group):
        async def commit(self, offsets):
            consumer._committed_offset[TP0] = 20  # as `perform_seek` does
            return await super().commit(offsets)

    consumer._thread = Seeking(False)
    consumer.ack(consumer._to_message(TP0, chunk(3, 9)))

    await consumer.commit()

    assert consumer.committed(TP0) == 20


@settings(deadline=None)  # each example makes an app
@given(
    sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=20),
    data=st.data(),
)
def test_what_is_committed_is_done_whatever_the_order_of_completion(sizes, data):
    consumer, offset, unread = make_app().consumer, data.draw(st.integers(0, 5)), []
    for gap, size in sizes:
        offset += gap
        unread.append((offset, offset + size - 1))
        offset += size
    running, unfinished = [], set()
    while unread or running:
        if unread and (not running or data.draw(st.booleans())):
            first, last = unread.pop(0)
            running.append(((first, last), consumer._to_message(TP0, chunk(first, last))))
            unfinished.update(range(first, last + 1))
        else:
            (first, last), message = running.pop(
                data.draw(st.integers(0, len(running) - 1), label="done")
            )
            consumer.ack(message)
            unfinished.difference_update(range(first, last + 1))
        to_commit = committable(consumer)
        if to_commit is not None:
            assert all(offset >= to_commit for offset in unfinished)
            consumer._committed_offset[TP0] = to_commit
    assert consumer._committed_offset[TP0] == offset
    assert (consumer.held.bytes, consumer.held.messages) == (0, 0)


@settings(deadline=None)
@given(cut=st.integers(0, 9), again=st.integers(0, 9))
def test_a_late_ack_of_a_partition_that_was_away_does_not_count(cut, again):
    """After a rebalance the same offsets may be cut into other batches."""
    consumer = make_app().consumer
    late = consumer._to_message(TP0, chunk(10 + cut, 19))
    consumer._forget()
    consumer._to_message(TP0, chunk(10, 10 + again))
    if again < 9:
        consumer._to_message(TP0, chunk(11 + again, 19))

    consumer.ack(late)

    assert committable(consumer) == 10


async def test_reading_pauses_while_too_much_is_held_and_goes_on_with_room(
    consumer, monkeypatch
):
    async def fetch(self, timeout):
        return {}, set()

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", fetch)
    monkeypatch.setattr(held, "MAX_HELD_BYTES", 10_000)
    message = consumer._to_message(TP0, chunk(0, 9))
    reading = asyncio.create_task(consumer._wait_next_records(1.0))
    await asyncio.sleep(0.2)
    assert not reading.done()

    consumer.ack(message)

    assert await asyncio.wait_for(reading, 30) == ({}, set())


async def test_a_drain_waits_for_what_was_read_commits_and_reads_no_more(consumer, monkeypatch):
    commits = []

    async def commit(*_args, **_options):
        commits.append(committable(consumer))
        return True

    async def fetch(self, timeout):
        return {TP0: chunk(100, 109)}, {TP0}

    monkeypatch.setattr(consumer, "commit", commit)
    monkeypatch.setattr(driver.Consumer, "_wait_next_records", fetch)
    message = consumer._to_message(TP0, chunk(0, 9))
    draining = asyncio.create_task(consumer.drain(60))
    await asyncio.sleep(0.1)
    assert not draining.done()

    consumer.ack(message)
    await asyncio.wait_for(draining, 30)

    assert commits == [10]
    reading = asyncio.create_task(consumer._wait_next_records(1.0))
    await asyncio.sleep(0.2)
    assert not reading.done()
    reading.cancel()


async def test_a_drain_gives_up_after_its_time_and_commits_what_is_done(consumer, monkeypatch):
    commits = []

    async def commit(*_args, **_options):
        commits.append(committable(consumer))

    monkeypatch.setattr(consumer, "commit", commit)
    consumer.ack(consumer._to_message(TP0, chunk(0, 9)))
    unfinished = consumer._to_message(TP0, chunk(10, 19))

    left = await consumer.drain(0.1)

    assert commits == [10]
    assert (consumer.held.bytes, consumer.held.messages) == (0, 0)
    consumer.ack(unfinished)
    assert committable(consumer) is None
    assert left == (
        "readings 0: 10 records were done but not committed and 10 records were read but not "
        "finished; they will come again"
    )


async def test_a_drain_after_which_all_is_committed_leaves_nothing(consumer):
    consumer._thread = Group(True)
    consumer.app.client_only = False
    consumer.app.producer.flush = nothing
    consumer.ack(consumer._to_message(TP0, chunk(3, 9)))

    assert await consumer.drain(0.1) is None

    assert consumer._thread.asked == [10]


async def nothing():
    """Nothing."""


class Silent(Group):
    """Kafka that does not answer a commit."""

    async def commit(self, offsets):
        self.asked.append(offsets[TP0])
        await asyncio.Event().wait()


@pytest.mark.parametrize("under_way", [False, True])
async def test_a_last_commit_that_is_not_answered_is_waited_for_in_vain_so_long(
    consumer, under_way
):
    consumer._thread = Silent()
    consumer.app.producer.flush = nothing
    consumer.ack(consumer._to_message(TP0, chunk(3, 3)))
    other = asyncio.create_task(consumer.commit()) if under_way else None
    await asyncio.sleep(0.01)

    async with asyncio.timeout(30):
        left = await consumer.drain(0.0, 0.2)

    assert left == "readings 0: 1 record was done but not committed; it will come again"
    assert consumer._thread.asked == [4], "no other commit is begun when the first is given up"
    if other is not None:
        other.cancel()


async def test_a_stopping_consumer_commits_nothing_after_the_drain(consumer, monkeypatch):
    async def commit(*_args, **_options):
        raise AssertionError("it would wait for Kafka without a bound")

    monkeypatch.setattr(consumer, "commit", commit)
    consumer.app._stopped.set()

    await consumer.wait_empty()
    await consumer.commit_and_end_transactions()


async def test_partitions_that_come_while_the_worker_stops_change_nothing(
    consumer, monkeypatch
):
    # aiokafka's own part is ended by its thread; closed under it, it asks without end.
    closed = []
    monkeypatch.setattr(consumer._thread, "close", lambda: closed.append("by the app"))
    app = consumer.app
    await consumer.drain(0.1)
    app._stopped.set()

    await consumer.on_partitions_assigned({TP0}, 1)

    assert closed == []
    reading = asyncio.create_task(consumer._wait_next_records(1.0))
    await asyncio.sleep(0.2)
    assert not reading.done(), "nothing is read after the drain"
    reading.cancel()


class Kafka:
    """The parts of an aiokafka producer that a `Producer` uses, with batches of 3."""

    def __init__(self, partitions, error=None):
        self.partitions, self.error = set(partitions), error
        self.sent, self.headers = [], []

    async def partitions_for(self, topic):
        return self.partitions

    def create_batch(self):
        return FullAt3()

    def _confirmation(self):
        future = asyncio.get_running_loop().create_future()
        if self.error:
            future.set_exception(self.error)
        else:
            future.set_result(None)
        return future

    async def send_batch(self, batch, topic, *, partition):
        self.sent.append((partition, [key for key, _ in batch.messages]))
        self.headers += [headers for _, headers in batch.messages]
        return self._confirmation()

    async def send(self, topic, value, *, key, partition, headers, timestamp_ms):
        self.sent.append((None, [key]))
        self.headers.append(headers)
        return self._confirmation()


class FullAt3:
    def __init__(self):
        self.messages = []

    def append(self, *, key, value, timestamp, headers):
        assert isinstance(headers, list)  # aiokafka's C code takes nothing else
        if len(self.messages) == 3:
            return None
        self.messages.append((key, headers))
        return object()

    def record_count(self):
        return len(self.messages)


async def send_to(kafka, count, partition=4, headers=None):
    producer = make_app().producer
    producer._producer = kafka
    messages = [(b"%d" % n, b"v") for n in range(count)]
    await producer.send_all("t", partition, messages, headers)
    return kafka.sent


async def test_nothing_is_sent_for_no_messages():
    assert await send_to(Kafka(range(6)), 0) == []


async def test_messages_go_in_whole_batches_to_the_partition_they_came_from():
    assert await send_to(Kafka(range(6)), 7) == [
        (4, [b"0", b"1", b"2"]),
        (4, [b"3", b"4", b"5"]),
        (4, [b"6"]),
    ]


async def test_the_key_decides_where_the_topic_has_no_such_partition():
    assert await send_to(Kafka(range(2)), 2) == [(None, [b"0"]), (None, [b"1"])]


@pytest.mark.parametrize("partitions", [6, 1])
async def test_each_message_gets_its_own_headers(partitions):
    kafka = Kafka(range(partitions))
    own = [[("n", b"%d" % n)] for n in range(5)]

    await send_to(kafka, 5, headers=map(tuple, own))
    await send_to(kafka, 1)

    assert kafka.headers == [*own, []]


@pytest.mark.parametrize("partitions", [6, 1])
async def test_a_send_that_is_not_confirmed_raises(partitions):
    with pytest.raises(SendFailedError, match="sending to 't' failed"):
        await send_to(Kafka(range(partitions), KafkaTimeoutError()), 5)


class Kept:
    """The consumer's thread: what Kafka says of partitions, and where it was told to go."""

    def __init__(self, **known):
        self.known = {TP("readings", int(n[1:])): told for n, told in known.items()}
        self.gone = []

    def assignment(self):
        return set(self.known)

    def _ensure_consumer(self):
        return None

    async def call_thread(self, method, consumer, *args):
        if method is beginnings.ask:
            return {tp: self.known[tp] for tp in args[0]}
        starts, keep = args
        self.gone.append(({tp.partition: at.offset for tp, at in starts.items()}, set(keep)))
        return None


def at(offset, topic_id="new"):
    return OffsetAndMetadata(offset, topic_id)


@pytest.fixture
def lost(consumer, monkeypatch):
    found = []

    async def report_lost(losses):
        assert consumer._thread.gone == [], "noted before anything behind the gap is read"
        found.extend((loss.partition, loss.first, loss.next, loss.topic_id) for loss in losses)

    monkeypatch.setattr(consumer.app, "report_lost", report_lost)
    return found


async def test_reading_begins_where_the_group_was_or_where_kafka_begins(consumer, lost):
    consumer._thread = Kept(
        p0=Known(at(0), 0, "new", True),
        p1=Known(at(7), 3, "new", True),
        p2=Known(at(7), 10, "new", True),
        p3=Known(None, 0, "new", True),
        p4=Known(at(7, "old"), 0, "new", True),
    )

    await consumer.perform_seek()

    starts = {0: 0, 1: 7, 2: 10, 3: 0, 4: 0}
    assert consumer._thread.gone == [(starts, set(consumer._thread.known))]
    assert lost == [(2, 7, 10, "new")]
    assert consumer.topic_ids == {"readings": "new"}
    assert consumer._committed_offset[TP("readings", 1)] == 7
    assert {p.tp.partition: p.committed for p in consumer.progress()} == starts


async def test_what_is_done_is_known_of_a_topic_and_of_the_one_that_takes_its_name(
    consumer, lost
):
    consumer.topic_ids["readings"] = "old"
    consumer._thread = Group(True)
    assert await consumer._commit({TP0: 10})
    consumer._thread = Kept(p0=Known(at(10, "old"), 0, "new"))

    await consumer.perform_seek()

    assert (lost, consumer.done) == ([], {(TP0, "old"): 10, (TP0, "new"): 0})


async def test_what_was_done_stays_known_when_a_new_topic_begins_with_the_old_ones_id(
    consumer, lost
):
    consumer.topic_ids["readings"] = "old"
    consumer._thread = Group(True)
    assert await consumer._commit({TP0: 10})
    consumer._thread = Kept(p0=Known(at(10, "old"), 0, "new"))

    await consumer._begin_after_gap({TP0: 10})

    assert (lost, consumer.done) == ([], {(TP0, "old"): 10})


async def test_a_partition_that_no_broker_knew_yet_is_begun_later(consumer, lost, monkeypatch):
    async def fetch(self, timeout):
        raise NoOffsetForPartitionError(TP0)

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", fetch)
    consumer._thread = Kept(p0=Known(None, 0, "new"))
    ask, consumer._thread.known = consumer._thread.known, {}
    monkeypatch.setattr(consumer._thread, "assignment", lambda: {TP0})
    monkeypatch.setattr(
        consumer.starts, "ask", lambda tps: asyncio.sleep(0, consumer._thread.known)
    )

    await consumer._wait_next_records(1.0)
    assert consumer.starts.begun == {}
    consumer._thread.known = ask
    for _ in range(3):
        assert await consumer._wait_next_records(1.0) == (None, None)

    assert consumer._thread.gone[1:] == [({0: 0}, {TP0})], "once"


async def test_what_is_deleted_while_it_waits_is_told_and_reading_goes_on_behind_it(
    consumer, lost, monkeypatch
):
    async def fetch(self, timeout):
        raise OffsetOutOfRangeError({TP0: 10})

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", fetch)
    consumer._thread = Kept(p0=Known(at(4), 50, "new", True))
    message = consumer._to_message(TP0, chunk(4, 9))

    assert await consumer._wait_next_records(1.0) == (None, None)

    assert lost == [(0, 10, 50, "")]
    # What is being worked on is not committed by the way: it is not known to be done.
    assert consumer._thread.gone == [({0: 50}, set())]
    consumer.ack(message)
    consumer.ack(consumer._to_message(TP0, chunk(50, 59)))
    assert committable(consumer) == 60


async def test_a_topic_that_has_not_come_so_far_was_made_anew_and_begins_at_its_beginning(
    consumer, lost, monkeypatch
):
    async def fetch(self, timeout):
        raise OffsetOutOfRangeError({TP0: 10})

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", fetch)
    consumer._thread = Kept(p0=Known(at(10, ""), 0, "", True))
    old = consumer._to_message(TP0, chunk(4, 9))

    await consumer._wait_next_records(1.0)

    assert (lost, consumer._thread.gone) == ([], [({0: 0}, {TP0})])
    consumer.ack(consumer._to_message(TP0, chunk(0, 4)))
    consumer.ack(old)
    assert committable(consumer) == 5


async def test_a_partition_without_a_position_yet_does_not_end_the_worker(
    consumer, monkeypatch
):
    # Faust's own look for stuck partitions, as it comes just after a rebalance.
    def verify(*_):
        raise AssertionError("aiokafka knows no position yet")

    monkeypatch.setattr(consumer, "assignment", lambda: {TP0})
    monkeypatch.setattr(consumer, "verify_event_path", verify)

    await consumer.verify_all_partitions_active()
