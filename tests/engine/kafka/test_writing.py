"""Sends: cut when too large, tried until they are confirmed or nobody wants them any more."""

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from orderapp.engine.delivery import retry
from orderapp.engine.delivery.errand import Errand, ForgottenError
from orderapp.engine.errors import SendFailedError, SendRefusedError
from orderapp.engine.kafka import writing
from orderapp.engine.kafka.partitioner import partition_of
from orderapp.engine.kafka.produce_errors import InvalidRecordError
from orderapp.engine.kafka.writing import Part, write
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up

PLACE = ("orders", 3)


class Batch:
    def __init__(self):
        self.messages = []

    def append(self, *, key, value, timestamp, headers):
        self.messages.append((key, value, headers))
        return object()

    def record_count(self):
        return len(self.messages)


class Kafka:
    """A producer, and a topic of two partitions that takes batches of `most` bytes."""

    def __init__(self, most=100, errors=()):
        self.most = most
        self.errors = [*errors]
        self.tries = 0
        self.written = []

    async def partitions_for(self, topic):
        return {0, 1}

    def _partition(self, topic, partition, key, value, key_bytes, value_bytes):
        return int(key) % 2

    def create_batch(self):
        return Batch()

    async def send_batch(self, batch, topic, *, partition):
        return self._answer(batch.messages)

    async def send(self, topic, value, *, key, partition, headers, timestamp_ms):
        return self._answer([(key, value, headers)])

    def _answer(self, messages):
        self.tries += 1
        future = asyncio.get_running_loop().create_future()
        error = self.errors.pop(0) if self.errors else None
        if error is None and sum(len(value) for _, value, _ in messages) > self.most:
            error = MessageSizeTooLargeError()
        if error is not None:
            future.set_exception(error)
        else:
            self.written += [int(key) for key, _, _ in messages]
            future.set_result(None)
        return future


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.004)
    monkeypatch.setattr(retry, "FIRST_SLOW_WAIT", 0.005)
    monkeypatch.setattr(retry, "LONGEST_SLOW_WAIT", 0.02)
    monkeypatch.setattr(retry, "LOOK", 0.002)
    yield
    writing._few.cache_clear()
    writing._few_cut.cache_clear()
    assert (blocked.reasons, len(held_up)) == ([], 0)


class Aside:
    """The partitions that are set aside now, and how often it came to that."""

    def __init__(self):
        self.now, self.times = [], 0

    @contextmanager
    def __call__(self, tp):
        self.now.append(tp)
        self.times += 1
        yield
        self.now.remove(tp)


@pytest.fixture
def aside():
    return Aside()


@pytest.fixture
def errand(aside):
    return Errand(SimpleNamespace(acked=False, tp=PLACE), aside)


def part(*sizes, partition=1):
    messages = [(b"%d" % n, b"x" * size) for n, size in enumerate(sizes)]
    return Part(partition, messages, [[("n", key)] for key, _ in messages])


async def eventually(check):
    for _ in range(500):
        if check():
            return
        await asyncio.sleep(0.002)
    raise AssertionError


async def test_a_single_message_that_is_too_large_is_not_said_to_be_cut(caplog):
    with pytest.raises(SendRefusedError):
        await write(Kafka(), "payments", part(101, partition=None), None)

    assert [m for m in caplog.messages if "cut" in m] == []


async def test_a_batch_that_is_too_large_is_cut_until_it_fits_and_stays_in_order(errand):
    kafka = Kafka(most=100)

    await write(kafka, "t", part(*[30] * 20), errand)

    assert kafka.written == list(range(20))


async def test_messages_by_key_that_met_in_a_batch_too_large_go_in_batches_of_their_own(errand):
    kafka = Kafka(most=100, errors=[MessageSizeTooLargeError()] * 6)

    await write(kafka, "t", part(*[30] * 6, partition=None), errand)

    assert sorted(kafka.written) == list(range(6))


async def test_a_record_too_large_holds_back_nothing_but_itself_and_goes_when_it_fits(
    errand, aside, caplog
):
    kafka = Kafka(most=100)
    sending = asyncio.create_task(write(kafka, "t", part(30, 30, 500, 30), errand))
    await eventually(lambda: blocked.reasons)
    assert sorted(kafka.written) == [0, 1, 3]
    assert "'t'" in blocked.reasons[0]
    assert "max.message.bytes" in blocked.reasons[0]
    assert (aside.now, PLACE in held_up) == ([PLACE], True)
    tries = kafka.tries
    await eventually(lambda: kafka.tries > tries + 3)
    assert [r.levelname for r in caplog.records].count("CRITICAL") == 1

    kafka.most = 1000
    await sending

    assert sorted(kafka.written) == [0, 1, 2, 3]
    assert (aside.now, aside.times) == ([], 1)
    assert "no longer blocked" in caplog.text


async def test_what_is_refused_is_tried_again_ever_more_slowly(errand, monkeypatch):
    pauses = []

    async def pause(seconds, check_wanted):
        pauses.append(seconds)

    monkeypatch.setattr(retry, "FIRST_SLOW_WAIT", 1.0)
    monkeypatch.setattr(retry, "LONGEST_SLOW_WAIT", 30.0)
    monkeypatch.setattr(writing, "pause", pause)

    await write(Kafka(errors=[TopicAuthorizationFailedError()] * 9), "t", part(1), errand)

    assert all(0.75 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses[:5]))
    assert all(22 < pause <= 30 for pause in pauses[5:])


@pytest.mark.parametrize("error", [KafkaTimeoutError(), NotEnoughReplicasError(), KafkaError()])
async def test_an_error_that_may_pass_is_tried_again_and_blocks_nothing(errand, aside, error):
    kafka = Kafka(errors=[error] * 5)

    await write(kafka, "t", part(1, 1), errand)

    assert (kafka.tries, kafka.written, aside.times) == (6, [0, 1], 0)


async def test_an_error_that_may_pass_and_lasts_is_told(errand, monkeypatch, caplog):
    monkeypatch.setattr(writing, "PATIENCE", 0.0)

    await write(Kafka(errors=[UnknownTopicOrPartitionError()] * 2), "t", part(1), errand)

    lines = [r.getMessage() for r in caplog.records if r.levelname == "CRITICAL"]
    assert len(lines) == 1
    assert "topic 't': it does not exist: create it" in lines[0]


async def test_a_kafka_that_is_away_is_no_reason_of_its_own(errand, monkeypatch, caplog):
    monkeypatch.setattr(writing, "PATIENCE", 0.0)

    await write(Kafka(errors=[KafkaTimeoutError()] * 2), "t", part(1), errand)

    assert "CRITICAL" not in {record.levelname for record in caplog.records}


async def test_a_send_of_a_partition_that_has_gone_is_given_up(errand, caplog):
    sending = asyncio.create_task(write(Kafka(), "t", part(500), errand))
    await eventually(lambda: blocked.reasons)

    errand.message.acked = True

    with pytest.raises(ForgottenError):
        await sending
    assert "no longer blocked" not in caplog.text


async def test_many_sends_that_are_refused_are_one_reason(aside, caplog):
    kafka = Kafka(most=10)
    errands = [Errand(SimpleNamespace(acked=False, tp=("orders", n)), aside) for n in range(5)]
    sends = [asyncio.create_task(write(kafka, "t", part(50), each)) for each in errands]
    await eventually(lambda: len(aside.now) == 5)
    assert len(blocked.reasons) == 1

    kafka.most = 100
    await asyncio.gather(*sends)

    assert [r.levelname for r in caplog.records].count("CRITICAL") == 1


async def test_a_send_that_is_no_part_of_a_delivery_is_tried_once():
    kafka = Kafka(errors=[InvalidRecordError()])

    with pytest.raises(SendRefusedError, match=r"topic 't'.*cleanup\.policy"):
        await write(kafka, "t", part(1), None)
    with pytest.raises(SendFailedError, match="sending to 't' failed"):
        await write(Kafka(errors=[KafkaTimeoutError()]), "t", part(1), None)
    assert kafka.tries == 1


async def test_messages_whose_keys_decide_go_in_a_batch_for_each_partition():
    kafka = Kafka()
    messages = [(b"%d" % n, b"x") for n in (1, 2, 3, 4, 5)]

    await write(kafka, "orders", Part(None, messages, None, [*range(5)]), None)

    numbers = sorted(await kafka.partitions_for("orders"))
    places = [partition_of(key, numbers) for key, _ in messages]
    assert kafka.tries == len({*places}) == 2
    assert kafka.written == sorted([1, 2, 3, 4, 5], key=lambda n: places[n - 1] != places[0])


async def test_of_such_batches_the_one_that_failed_is_tried_again(errand):
    kafka = Kafka(errors=[KafkaTimeoutError()])
    messages = [(b"%d" % n, b"x") for n in (1, 2, 3)]

    await write(kafka, "orders", Part(None, messages, None), errand)

    assert kafka.written == [2, 1, 3]


async def test_messages_for_a_topic_of_which_nothing_is_known_fail_together():
    class Unknown(Kafka):
        async def partitions_for(self, topic):
            raise UnknownTopicOrPartitionError

    with pytest.raises(SendFailedError):
        await write(Unknown(), "orders", Part(None, [(b"1", b"x")] * 2, None), None)
