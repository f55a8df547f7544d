"""Replays: sent first, noted then, and nothing is noted that was not sent."""

import asyncio

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from orderapp.engine.batches.records import is_for
from orderapp.engine.dead_letters import resolve as resolving
from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.dead_letters.resolve import Addresses, Resolver, Task, windows
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.errors import FatalError, SendFailedError
from orderapp.engine.kafka.cluster import Cluster
from tests.records import record

ADDRESSES = Addresses({"orders": {0, 1, 2}}, {"fraud", "payment"})


def letter(offset=0, service="payment", value=b"{}", **original):
    headers = headers_for(record(**original), Failure(service, ValueError("no")))
    return DeadLetter.of(
        record(value, topic="dlq", partition=1, offset=offset, timestamp=5, headers=headers)
    )


class Producer:
    """Stands for aiokafka's; `fails` has the errors for topics."""

    def __init__(self, fails=None, **_):
        self.fails = fails or {}
        self.sent = []

    async def send(self, topic, value, *, key, partition, headers, timestamp_ms):
        answer = asyncio.get_running_loop().create_future()
        error = self.fails.get((topic, key)) or self.fails.get(topic)
        if error:
            answer.set_exception(error)
        else:
            answer.set_result(None)
            self.sent.append(
                record(value, key, topic=topic, partition=partition, headers=headers)
            )
        return answer

    def noted(self):
        return [r.key for r in self.sent if r.topic == "dlq-resolved"]


def resolver(producer):
    made = Resolver(Cluster(("a:1",)), "dlq", ADDRESSES)
    made._producer = producer
    return made


async def test_a_replay_goes_where_it_came_from_for_the_services_named():
    producer = Producer()

    await resolver(producer).replay([Task(letter(7, partition=2), ("payment",))])

    replay, note = producer.sent
    assert (replay.topic, replay.partition, replay.key) == ("orders", 2, b"7")
    assert replay.headers[1] == ("replay-of", b"dlq[1]@7")
    assert is_for(replay, "payment")
    assert not is_for(replay, "fraud")
    assert note.key == b"1:7"


async def test_where_the_partition_has_gone_the_key_decides():
    producer = Producer()

    await resolver(producer).replay([Task(letter(partition=9), ("payment",))])

    assert producer.sent[0].partition is None


def keyed(key, offset):
    made = letter(offset)
    return DeadLetter(
        record(key=key, topic="dlq", partition=1, offset=offset, headers=made.record.headers),
        made.origin,
    )


async def test_what_was_not_sent_is_not_noted_and_what_was_is():
    producer = Producer({("orders", b"bad"): KafkaTimeoutError()})
    made = resolver(producer)
    tasks = [Task(keyed(key, n), ("payment",)) for n, key in enumerate([b"bad", b"good"])]

    with pytest.raises(SendFailedError, match="did not confirm it: KafkaTimeoutError"):
        await made.replay(tasks)

    assert producer.noted() == [b"1:1"]
    assert made.done == 1


async def test_one_that_is_too_large_stops_no_other():
    producer = Producer({("orders", b"large"): MessageSizeTooLargeError("2 MB")})
    made = resolver(producer)
    tasks = [Task(keyed(b"large", 3), ("payment",)), Task(letter(4), ("payment",))]

    failed = await made.replay(tasks)

    assert [(task.letter.place.offset, why) for task, why in failed] == [
        (
            3,
            "its topic refuses it: a record is larger than the topic's max.message.bytes "
            "allows: raise it ([Error 10] MessageSizeTooLargeError: 2 MB)",
        )
    ]
    assert producer.noted() == [b"1:4"]
    assert made.done == 1


async def test_what_is_too_large_only_together_with_others_is_sent_alone():
    class Together(Producer):
        async def send(self, topic, *args, **options):
            answer = await super().send(topic, *args, **options)
            self.fails.pop(topic, None)
            return answer

    producer = Together({"orders": MessageSizeTooLargeError("2 MB")})
    made = resolver(producer)

    assert await made.replay([Task(letter(3), ("payment",))]) == []
    assert (producer.noted(), made.done) == ([b"1:3"], 1)


async def test_what_kafka_does_not_allow_is_said_so():
    producer = Producer({"orders": TopicAuthorizationFailedError("orders")})

    with pytest.raises(FatalError, match="does not allow this"):
        await resolver(producer).replay([Task(letter(), ("payment",))])


async def test_a_note_that_is_not_confirmed_is_not_counted():
    producer = Producer({"dlq-resolved": KafkaTimeoutError()})
    made = resolver(producer)

    with pytest.raises(SendFailedError):
        await made.drop([Task(letter(), ("payment",))])

    assert made.done == 0


@pytest.mark.parametrize(
    ("dead", "objection"),
    [
        (letter(), None),
        (letter(service="fraud,payment"), None),
        (letter(topic="dlq"), "'original-topic' names 'dlq', which no service reads"),
        (letter(service="payment,loyalty"), "'service' names 'loyalty', and there is no such"),
        (DeadLetter.of(record()), "the header 'service' is missing"),
    ],
)
def test_only_what_a_worker_can_have_written_is_sent(dead, objection):
    said = ADDRESSES.objection(dead)

    assert said is None if objection is None else objection in said


def test_windows_are_bounded_in_letters_and_in_bytes(monkeypatch):
    monkeypatch.setattr(resolving, "WINDOW", 3)
    monkeypatch.setattr(resolving, "WINDOW_BYTES", 10)
    sizes = [1, 1, 1, 1, 9, 2, 50, 1]
    tasks = [Task(letter(value=b"x" * size), ()) for size in sizes]

    parts = [[len(t.letter.record.value) for t in window] for window in windows(tasks)]

    assert parts == [[1, 1, 1], [1, 9], [2], [50], [1]]
    assert list(windows([])) == []


@pytest.mark.parametrize("action", ["replay", "drop"])
async def test_a_note_that_its_topic_refuses_names_the_topic_and_its_setting(action):
    made = resolver(Producer({"dlq-resolved": MessageSizeTooLargeError()}))

    with pytest.raises(SendFailedError, match=r"topic 'dlq-resolved': .*max\.message\.bytes"):
        await getattr(made, action)([Task(letter(), ("payment",))])
