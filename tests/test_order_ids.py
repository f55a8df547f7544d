"""Ids of new orders: rising, exact in JavaScript, and never the same in two workers."""

import asyncio
import itertools

import pytest

from orderapp.engine.errors import SendFailedError
from orderapp.order_ids import BEGINNING, END, FIRST, SPAN, OrderIds

#: The last producer's id of an earlier version, and the lowest of its API's.
NOW_IN_US, RANDOM = 1_800_000_000_000_000, 2**52


class Kafka:
    """Gives numbers, one after the other to whoever asks."""

    def __init__(self, first=0):
        self.numbers = itertools.count(first)
        self.asked = 0

    async def number(self):
        self.asked += 1
        number = next(self.numbers)
        await asyncio.sleep(0)
        return number


class Clock:
    def __init__(self, monkeypatch):
        self.unix, self.monotonic = BEGINNING + 30_000_000.0, 1000.0
        monkeypatch.setattr("time.time", lambda: self.unix)
        monkeypatch.setattr("time.monotonic", lambda: self.monotonic)

    def go_on(self, seconds):
        self.unix += seconds
        self.monotonic += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


async def test_ids_rise_and_are_none_of_those_that_were_given_before(clock):
    kafka = Kafka()
    ids = OrderIds(kafka.number)
    many = [await ids.next() for _ in range(1000)]

    assert sorted(set(many)) == many
    assert NOW_IN_US < FIRST <= many[0] < many[-1] < END == RANDOM < 2**53
    assert kafka.asked == 4, "one number for 256 ids"


async def test_workers_at_the_same_moment_make_no_id_twice_with_whatever_clocks(
    clock, monkeypatch
):
    kafka = Kafka(2**40 - 50)
    workers = [OrderIds(kafka.number) for _ in range(20)]
    made = []
    for _ in range(40):
        for number, worker in enumerate(workers):
            monkeypatch.setattr("time.time", lambda n=number: clock.unix + n % 3 - 1)
            made += [await worker.next() for _ in range(7)]
        clock.go_on(3)

    assert len(set(made)) == len(made) == 20 * 40 * 7


async def test_an_id_is_higher_than_those_that_other_workers_made_a_span_before(clock):
    kafka = Kafka(2**16 - 1)  # the low bits begin again with the next one
    one, other = OrderIds(kafka.number), OrderIds(kafka.number)
    before = [await one.next() for _ in range(3)]
    clock.go_on(SPAN)

    assert max(before) < await other.next()
    assert max(before) < await one.next()


@pytest.mark.parametrize("then", [0, 2**16 - 2])
async def test_one_workers_ids_rise_also_when_numbers_begin_again(clock, then):
    numbers = iter([2**16 - 1, 2**16 + then, 2**16 + then + 1])

    async def number():
        return next(numbers)

    ids = OrderIds(number)
    many = [await ids.next() for _ in range(600)]

    assert sorted(set(many)) == many


async def test_a_clock_that_is_set_back_makes_no_id_lower(clock):
    ids = OrderIds(Kafka().number)
    first = await ids.next()
    clock.unix, clock.monotonic = 0.0, clock.monotonic + SPAN

    assert await ids.next() > first


async def test_the_same_numbers_of_another_kafka_make_other_ids(clock):
    first = await OrderIds(Kafka().number).next()
    clock.go_on(SPAN)

    assert await OrderIds(Kafka().number).next() > first


async def test_ids_stay_in_their_range_with_every_clock(clock):
    for clock.unix in (-1e9, 0.0, 1e10, 1e12):
        assert FIRST <= await OrderIds(Kafka(2**63 - 1).number).next() < END


async def test_who_asks_at_the_same_time_shares_a_number(clock):
    kafka = Kafka()
    ids = OrderIds(kafka.number)
    many = await asyncio.gather(*(ids.next() for _ in range(300)))

    assert len(set(many)) == 300
    assert kafka.asked == 2


async def test_without_kafka_there_is_no_id_and_later_there_is(clock):
    kafka, away = Kafka(), True

    async def number():
        if away:
            raise SendFailedError("Kafka is away")
        return await kafka.number()

    ids = OrderIds(number)
    with pytest.raises(SendFailedError):
        await ids.next()
    away = False

    assert FIRST <= await ids.next() < END
