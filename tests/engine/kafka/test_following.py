"""A topic is followed: from its first record on, and again when it was made anew."""

import asyncio
import logging

import pytest

from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka import following
from orderapp.engine.kafka.following import Follower
from orderapp.engine.observe.blocked import blocked


class Kafka:
    """A topic of one partition."""

    def __init__(self):
        self.log, self.there, self.away = [], True, None
        self.partitions = 1
        self.open = 0

    async def __aenter__(self):
        self.open += 1
        return self

    async def __aexit__(self, *exc_info):
        self.open -= 1

    def has(self, topic):
        return self.there

    async def ends(self, topic):
        if self.away:
            raise self.away
        return dict.fromkeys(range(self.partitions), len(self.log))

    async def read(self, topic, ends, begins):
        for offset in range((begins or {}).get(0, 0), ends[0]):
            yield 0, [self.log[offset]]


@pytest.fixture
def kafka(monkeypatch):
    kafka = Kafka()
    monkeypatch.setattr(following, "TopicReader", lambda cluster: kafka)
    monkeypatch.setattr(following, "EVERY", 0.01)
    return kafka


class Taken(list):
    def __call__(self, records, anew):
        self.append(([*records], anew))


def follower(taken, cluster="a cluster"):
    return Follower(lambda: cluster, "control", taken)


async def until(check):
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_it_begins_with_all_and_goes_on_with_what_is_new(kafka):
    taken, kafka.log = Taken(), [1, 2]
    one = follower(taken)

    await one.look()
    await one.look()
    kafka.log.append(3)
    await one.look()

    assert taken == [([1, 2], True), ([3], False)]


async def test_an_empty_topic_is_read_too(kafka):
    taken = Taken()
    one = follower(taken)

    await one.look()
    kafka.log.append(1)
    await one.look()

    assert taken == [([], True), ([1], False)]


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(kafka, is_told):
    taken, kafka.log = Taken(), [1, 2]
    one = follower(taken)
    await one.look()

    # Only the notice tells one that is as long as the old one was.
    kafka.log = [7, 8, 9] if is_told else [7]
    one.notice("another")
    if is_told:
        one.notice("control")
    await one.look()

    assert taken[1:] == [(kafka.log, True)]


async def test_without_the_topic_or_the_cluster_nothing_is_taken(kafka):
    taken, kafka.there = Taken(), False

    with pytest.raises(TransientError, match="'control' does not exist on Kafka at a cluster"):
        await follower(taken).look()
    with pytest.raises(TransientError, match="not reachable yet"):
        await follower(taken, None).look()
    assert (taken, kafka.open) == ([], 0)


async def test_a_topic_without_one_order_is_refused(kafka):
    kafka.partitions = 6

    with pytest.raises(TransientError, match=r"has 6 partitions, .* make it anew with 1"):
        await follower(Taken()).look()


async def test_a_start_waits_until_all_was_taken(kafka):
    taken, kafka.log, kafka.away = Taken(), [1], TransientError("away")
    one = follower(taken)

    starting = asyncio.create_task(one.start())
    await asyncio.sleep(0.05)
    assert not starting.done()
    kafka.away = None
    await asyncio.wait_for(starting, 10)

    assert taken == [([1], True)]
    kafka.log.append(2)
    await until(lambda: len(taken) == 2)
    await one.stop()
    assert kafka.open == 0


async def test_while_kafka_is_away_it_says_so_once_and_goes_on(kafka, caplog):
    taken = Taken()
    one = follower(taken)

    def said():
        return [line for line in caplog.messages if "follow" in line]

    with caplog.at_level(logging.INFO, logger=following.__name__):
        await one.start()
        kafka.away = TransientError("no answer")
        await until(said)
        await asyncio.sleep(0.05)
        kafka.log, kafka.away = [1], None
        await until(lambda: len(taken) > 1)
        await one.stop()

    assert said() == [
        "control is not followed, what was read holds: no answer",
        "control is followed again",
    ]
    assert taken == [([], True), ([1], False)]


async def test_a_right_that_is_taken_away_blocks_until_it_is_given(kafka):
    one = follower(Taken())
    await one.start()
    kafka.away = FatalError("Kafka does not allow this")
    await until(lambda: "Kafka does not allow this" in blocked.reasons)
    kafka.away = None
    await until(lambda: not blocked)
    await one.stop()
