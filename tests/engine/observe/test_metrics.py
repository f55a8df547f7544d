"""What is counted, on real counters, and what is read off a real consumer without a broker."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from faust.transport.drivers import aiokafka as driver
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from orderapp.engine.delivery.policy import deliver
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.errors import RetryableError, TransientError
from orderapp.engine.health.consumer_metrics import ConsumerMetrics, lag, oldest
from orderapp.engine.kafka.outlook import Progress
from orderapp.engine.observe import metrics
from orderapp.engine.observe.metrics import REGISTRY, Ages
from tests.engine.delivery.test_policy import DeadLetters, Event, Stream, quick  # noqa: F401 - a fixture
from tests.engine.kafka.test_transport import TP0, chunk, make_app

NOW = 1_795_000_000.0
BOUNDS = (0.005, 0.1, 1.0, 10.0)


def ages(*batches):
    registry = CollectorRegistry()
    histogram = Ages("age_seconds", "Ages.", BOUNDS, registry)
    for batch in batches:
        child = histogram.labels("fraud", "orders")
        child.observe([round((NOW - age) * 1000) for age in batch], NOW)
    labels = {"service": "fraud", "topic": "orders"}
    buckets = {
        bound: registry.get_sample_value("age_seconds_bucket", labels | {"le": bound})
        for bound in ("0.005", "0.1", "1.0", "10.0", "+Inf")
    }
    return buckets, registry.get_sample_value("age_seconds_sum", labels)


def test_every_record_of_a_batch_is_in_its_bucket():
    buckets, total = ages([60, 5, 0.5, 0.5, 0.05, 0.001])

    assert buckets == {"0.005": 1, "0.1": 2, "1.0": 4, "10.0": 5, "+Inf": 6}
    assert total == pytest.approx(66.051)


def test_an_age_on_a_bound_is_below_it():
    assert ages([0.1])[0] == {"0.005": 0, "0.1": 1, "1.0": 1, "10.0": 1, "+Inf": 1}


def test_a_senders_clock_that_is_ahead_makes_no_sum_fall():
    buckets, total = ages([1], [-3600])

    assert (buckets["0.005"], buckets["+Inf"], total) == (1, 2, pytest.approx(1))


@given(st.lists(st.integers(0, 20_000).map(lambda ms: ms / 1000), min_size=1))
def test_the_buckets_are_those_of_counting_one_by_one(batch):
    buckets, total = ages(batch)

    for bound, count in buckets.items():
        assert count == sum(age <= float(bound) for age in batch)
    assert total == pytest.approx(sum(batch), abs=1e-6)


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


async def counted(work, *events, max_attempts=1):
    """What the delivery of these events adds to the counters of the service `counted`."""

    def now():
        where = {"service": "counted", "topic": "orders"}
        return {
            "done": value("orderapp_records_total", result="done", **where),
            "dead": value("orderapp_records_total", result="dead_letter", **where),
            "retries": value("orderapp_retries_total", **where),
            "batches": value("orderapp_batch_records_count", **where),
            "records": value("orderapp_batch_records_sum", **where),
            "timed": value("orderapp_batch_processing_seconds_count", **where),
            "ages": value("orderapp_end_to_end_seconds_count", **where),
        }

    before = now()
    running = deliver(
        "counted", Stream(*events), work, DeadLetters(), retry=Retry(max_attempts)
    )
    await asyncio.wait_for(running, 60)
    assert all(event.acked for event in events)
    return {name: count - before[name] for name, count in now().items()}


async def test_a_batch_counts_its_records_and_is_timed_once():
    async def work(batch):
        pass

    assert await counted(work, Event([1, 2, 3]), Event([4])) == {
        "done": 4,
        "dead": 0,
        "retries": 0,
        "batches": 2,
        "records": 4,
        "timed": 2,
        "ages": 4,
    }


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [TransientError("away"), RetryableError("no answer")])
async def test_each_new_try_of_a_batch_is_a_retry(error):
    tries = []

    async def work(batch):
        tries.append(batch)
        if len(tries) < 4:
            raise error

    found = await counted(work, Event([1, 2]), max_attempts=9)

    assert (found["retries"], found["done"], found["batches"]) == (3, 2, 1)


async def test_a_record_that_is_given_up_is_not_done():
    async def work(batch):
        if 2 in batch.values:
            raise ValueError("bad")

    found = await counted(work, Event([1, 2, 3]))

    assert (found["done"], found["dead"], found["ages"]) == (2, 1, 3)


@pytest.mark.usefixtures("quick")
async def test_records_that_are_given_up_at_different_tries_all_count():
    async def work(batch):
        if 1 in batch.values:
            raise ValueError("bad")
        raise RetryableError("no answer")

    found = await counted(work, Event([1, 2, 3]), max_attempts=3)

    assert (found["done"], found["dead"]) == (0, 3)


def test_all_series_of_a_service_are_there_before_its_first_record():
    metrics.meter("early", "orders")

    where = {"service": "early", "topic": "orders"}
    for name, labels in {
        "orderapp_records_total": {"result": "done"},
        "orderapp_retries_total": {},
        "orderapp_end_to_end_seconds_count": {},
    }.items():
        assert REGISTRY.get_sample_value(name, where | labels) == 0, name
    # A rate needs a first value to grow from.
    assert (
        REGISTRY.get_sample_value("orderapp_records_total", where | {"result": "dead_letter"})
        == 0
    )


def test_error_classes_are_bounded(monkeypatch):
    monkeypatch.setattr(metrics, "_error_classes", set())
    for number in range(metrics.MAX_ERROR_CLASSES + 7):
        metrics.dead_letter("bounded", type(f"Error{number}", (Exception,), {})())
    metrics.dead_letter("bounded", type("Error0", (Exception,), {})())

    assert value("orderapp_dead_letters_total", service="bounded", error_class="other") == 7
    assert value("orderapp_dead_letters_total", service="bounded", error_class="Error0") == 2


# -- What is read off the consumer ----------------------------------------------------------


def progress(**more):
    facts = {"committed": 10, "position": 10, "end": 10, "timestamp": None, "unfinished": []}
    return Progress(TP0, **{**facts, **more})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, 0),
        ({"committed": None, "position": None, "end": 5}, None),
        ({"committed": 0, "position": None, "end": None}, None),
        ({"end": 25}, 15),
        ({"committed": None, "position": 7, "end": 9}, 2),
        ({"committed": 12, "end": 10}, 0),  # the end of an earlier look
        ({"end": 11, "reached": 11}, 0),  # the end of a transaction
        ({"end": 25, "reached": 11}, 14),
        ({"position": None, "end": 11, "reached": 11}, 0),
        ({"committed": 9, "end": 11, "reached": 11}, 2),
    ],
)
def test_lag_is_what_is_not_committed(facts, expected):
    assert lag(progress(**facts)) == expected


def test_what_was_not_read_is_as_old_as_the_last_that_was():
    assert oldest("fraud", progress(timestamp=5000)) is None
    assert oldest("fraud", progress(timestamp=5000, end=11)) == 5000
    assert oldest("fraud", progress(position=None, end=11)) is None
    assert oldest("fraud", progress(timestamp=5000, end=None)) is None
    # Only the end of a transaction is left.
    assert oldest("fraud", progress(timestamp=5000, end=11, reached=11)) is None


class Reading:
    """A consumer of one partition, whose assignment and end are given."""

    def __init__(self, monkeypatch, end):
        self.consumer = make_app().consumer
        monkeypatch.setattr(self.consumer, "assignment", lambda: {TP0})
        monkeypatch.setattr(self.consumer, "highwater", lambda _tp: end)
        readers = {"readings": {"fraud", "payment"}}
        registry = CollectorRegistry()
        registry.register(ConsumerMetrics("group", lambda: self.consumer, readers))
        self.value = registry.get_sample_value

    def oldest(self, service):
        labels = {"service": service, "topic": "readings"}
        return self.value("orderapp_oldest_waiting_seconds", labels)

    def read(self, first, last, timestamp):
        records = chunk(first, last)
        object.__setattr__(records[0], "timestamp", timestamp)
        message = self.consumer._to_message(TP0, records)
        message.value, _ = self.consumer.transport.decoders["readings"].batch(records)
        return message


async def test_lag_falls_with_the_commit_and_age_with_the_work(monkeypatch):
    reading = Reading(monkeypatch, end=20)
    reading.consumer._committed_offset[TP0] = 0
    where = {"group": "group", "topic": "readings", "partition": "0"}
    assert reading.value("orderapp_consumer_lag_records", where) == 20

    message = reading.read(0, 19, timestamp=(time.time() - 30) * 1000)

    assert reading.oldest("fraud") == pytest.approx(30, abs=20)
    assert reading.value("orderapp_held_batches") == 1
    assert reading.value("orderapp_held_bytes") > 20 * 1024
    message.value.done_by.add("fraud")
    # One is through with it, the other is not, so nothing may be committed.
    assert reading.oldest("fraud") == 0
    assert reading.oldest("payment") == pytest.approx(30, abs=20)

    reading.consumer.ack(message)
    reading.consumer._committed_offset[TP0] = 20

    assert reading.oldest("payment") == 0
    assert reading.value("orderapp_consumer_lag_records", where) == 0
    assert reading.value("orderapp_held_batches") == 0


@pytest.mark.parametrize(("end", "told"), [(None, None), (0, 0), (20, 20)])
async def test_lag_is_not_told_before_the_end_is_known(monkeypatch, end, told):
    reading = Reading(monkeypatch, end)
    reading.consumer.starts.begun[TP0] = 0  # a new group
    where = {"group": "group", "topic": "readings", "partition": "0"}

    assert reading.value("orderapp_consumer_lag_records", where) == told


class Aiokafka:
    """Its consumer, which has handed all records of one partition to its caller."""

    def __init__(self, end):
        self.end = end

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, self.end)

    async def position(self, _tp):
        return self.end

    def assignment(self):
        return {TP0}

    def last_stable_offset(self, _tp):
        return None


async def test_records_on_their_way_from_the_consumers_thread_are_lag(monkeypatch):
    reading = Reading(monkeypatch, end=20)
    consumer = reading.consumer
    consumer.starts.begun[TP0] = 0  # a new group
    where = {"group": "group", "topic": "readings", "partition": "0"}

    async def fetched(*_args, **_options):
        return {TP0: chunk(0, 19)}

    async def in_thread(call, *args):
        return await call(Aiokafka(20), *args)

    async def nothing(*_args):
        return {}, {TP0}

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetched)
    monkeypatch.setattr(driver.Consumer, "_wait_next_records", nothing)
    monkeypatch.setattr(consumer.outlook, "_in_thread", in_thread)
    gathering = SimpleNamespace(came=lambda _partitions: None)
    monkeypatch.setattr(consumer._thread, "_gathering", gathering, raising=False)
    await consumer._thread._fetch_records()
    await consumer.outlook.look([TP0])

    # They are behind aiokafka's position, and none was given to a service yet.
    assert reading.value("orderapp_consumer_lag_records", where) == 20

    message = reading.read(0, 18, timestamp=(time.time() - 30) * 1000)
    assert reading.value("orderapp_consumer_lag_records", where) == 20
    consumer.ack(message)
    consumer._committed_offset[TP0] = 19
    assert reading.value("orderapp_consumer_lag_records", where) == 1

    # The last one ended a transaction: nothing will ever be read there.
    await consumer._wait_next_records(1.0)
    assert reading.value("orderapp_consumer_lag_records", where) == 0


async def test_the_age_of_commits_counts_only_while_something_waits(monkeypatch):
    reading = Reading(monkeypatch, end=20)
    consumer = reading.consumer
    consumer._committed_offset[TP0] = 0
    consumer.uncommitted_since = time.monotonic() - 3600  # quiet for an hour
    assert reading.value("orderapp_commit_age_seconds") == 0

    message = reading.read(0, 19, timestamp=0)

    assert reading.value("orderapp_commit_age_seconds") < 50
    consumer.uncommitted_since -= 100
    assert reading.value("orderapp_commit_age_seconds") == pytest.approx(100, abs=40)

    async def commit(_offsets):
        return True

    monkeypatch.setattr(consumer._thread, "commit", commit)
    await consumer._commit({TP0: 0})
    assert reading.value("orderapp_commit_age_seconds") < 50  # a commit, with work left

    consumer.ack(message)
    consumer._committed_offset[TP0] = 20
    assert reading.value("orderapp_commit_age_seconds") == 0


@pytest.mark.parametrize("error", [AssertionError, AttributeError])
async def test_a_partition_that_goes_while_somebody_looks_breaks_nothing(monkeypatch, error):
    reading = Reading(monkeypatch, end=20)
    reading.consumer._committed_offset[TP0] = 5
    reading.consumer.outlook.ends[TP0] = 9

    def gone(_tp):
        raise error

    monkeypatch.setattr(reading.consumer, "highwater", gone)

    where = {"group": "group", "topic": "readings", "partition": "0"}
    assert reading.value("orderapp_consumer_lag_records", where) == 4


def test_a_consumer_whose_thread_is_not_there_yet_has_nothing_to_show():
    consumer = make_app().consumer
    registry = CollectorRegistry()
    registry.register(ConsumerMetrics("group", lambda: consumer, {"readings": {"fraud"}}))

    assert registry.get_sample_value("orderapp_held_batches") == 0
    where = {"group": "group", "topic": "readings", "partition": "0"}
    assert registry.get_sample_value("orderapp_consumer_lag_records", where) is None


def test_a_worker_without_a_consumer_has_the_metrics_all_the_same():
    registry = CollectorRegistry()
    registry.register(ConsumerMetrics("web-group", lambda: None, {}))

    names = {family.name for family in registry.collect()}

    assert "orderapp_consumer_lag_records" in names
    assert registry.get_sample_value("orderapp_commit_age_seconds") == 0
