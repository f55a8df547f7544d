"""When totals are counted, and what callers get meanwhile."""

import asyncio

import pytest

from orderapp.store import Activity, CountryStats, Stats, StoreUnavailable
from orderapp.store.couchbase import count as module
from orderapp.store.couchbase.count import SharedCount


class Bucket:
    """Counts `orders`, which takes `seconds`, and notes how often."""

    def __init__(self):
        self.orders, self.seconds, self.counted = 1, 0.0, 0
        self.rounds = 1  # that the next count takes
        self.away = self.error = None

    async def probe(self):
        if self.away:
            raise self.away

    async def count(self, since):
        self.counted += 1
        moment.now += self.seconds
        await gate.wait()
        if self.error:
            raise self.error
        self.rounds -= 1
        if self.rounds > 0:
            return None
        countries = [CountryStats("DE", self.orders, 0, 0, 0, 0.0)]
        return Stats(
            countries, [Activity(start, 1, 0) for start in (0, 10, 20) if start >= since]
        )


class Moment:
    """The time, which only goes on when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    time = monotonic


moment = Moment()
gate = asyncio.Event()


@pytest.fixture
def bucket(monkeypatch):
    gate.set()
    monkeypatch.setattr(module, "time", moment)
    monkeypatch.setattr(module, "SHORT_PATIENCE", 0.05)
    return Bucket()


@pytest.fixture
def shared(bucket):
    return SharedCount(bucket.probe, bucket.count, lambda: 1234)


def orders(stats):
    return [country.orders for country in stats.countries]


async def test_totals_say_when_their_count_began(bucket, shared):
    began, bucket.seconds = moment.now, 5.0

    assert (await shared.get(0)).counted == began


async def test_a_quick_count_is_good_for_three_seconds(bucket, shared):
    for wait, counted in ((0.0, 1), (2.9, 1), (0.2, 2)):
        moment.now += wait
        await shared.get(0)
        assert bucket.counted == counted


@pytest.mark.parametrize("error", [None, StoreUnavailable("no answer within 30 s")])
async def test_counts_take_a_tenth_of_the_time_at_most_good_or_not(bucket, shared, error):
    await shared.get(0)
    bucket.seconds, bucket.error = 4.0, error
    began = moment.now = moment.now + 3.1
    while moment.now < began + 200:
        await shared.get(0)
        moment.now += 0.5

    assert bucket.counted - 1 == 5


async def test_callers_get_the_result_before_while_the_next_is_counted(bucket, shared):
    await shared.get(0)
    moment.now, bucket.orders = moment.now + 3.1, 2
    gate.clear()

    assert orders(await shared.get(0)) == [1]
    assert orders(await shared.get(0)) == [1]
    gate.set()
    assert orders(await shared.get(0)) == [2]
    assert bucket.counted == 2


async def test_first_count_that_takes_long_is_said_to_be_under_way_and_goes_on(
    monkeypatch, bucket, shared
):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    gate.clear()
    with pytest.raises(StoreUnavailable, match="being counted for the first time"):
        await shared.get(0)
    gate.set()

    assert orders(await shared.get(0)) == [1]
    assert bucket.counted == 1


async def test_first_count_goes_on_until_everything_was_counted(bucket, shared):
    bucket.rounds = 5

    assert orders(await shared.get(0)) == [1]
    assert bucket.counted == 5
    moment.now += 3.1
    await shared.get(0)
    assert bucket.counted == 6


async def test_only_the_last_round_decides_when_the_next_count_is(monkeypatch, bucket, shared):
    monkeypatch.setattr(module, "asyncio", WithoutSleep)
    bucket.rounds, bucket.seconds = 50, 1.0
    await shared.get(0)
    moment.now += 9.5
    await shared.get(0)

    assert bucket.counted == 51


class WithoutSleep:
    """`asyncio`, whose pauses are none."""

    ensure_future, wait, sleep = asyncio.ensure_future, asyncio.wait, lambda _: asyncio.sleep(0)


async def test_first_count_says_how_far_it_is(monkeypatch, bucket, shared):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    gate.clear()
    with pytest.raises(StoreUnavailable, match="1,234 documents so far"):
        await shared.get(0)
    gate.set()


async def test_count_that_took_too_long_leaves_the_result_before(bucket, shared, caplog):
    await shared.get(0)
    moment.now += 3.1
    bucket.error = StoreUnavailable("no answer within 30 s")

    assert orders(await shared.get(0)) == [1]
    assert "The totals could not be counted: no answer within 30 s" in caplog.text


async def test_without_a_result_before_a_failed_count_is_an_error(bucket, shared):
    bucket.error = StoreUnavailable("no answer within 30 s")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="within 30 s"):
            await shared.get(0)

    assert bucket.counted == 1


async def test_store_that_does_not_answer_has_no_totals_and_is_asked_again_soon(bucket, shared):
    await shared.get(0)
    moment.now += 3.1
    bucket.away = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable, match="away"):
        await shared.get(0)
    bucket.away = None
    moment.now += 3.1

    assert orders(await shared.get(0)) == [1]
    assert bucket.counted == 2


async def test_caller_that_gives_up_ends_no_count(bucket, shared):
    gate.clear()
    impatient = asyncio.ensure_future(shared.get(0))
    await asyncio.sleep(0)
    impatient.cancel()
    gate.set()

    assert orders(await shared.get(0)) == [1]
    assert bucket.counted == 1


async def test_activity_from_before_is_counted_at_once(bucket, shared):
    late = await shared.get(20)
    early = await shared.get(5)

    assert [span.start for span in late.activity] == [20]
    assert [span.start for span in early.activity] == [10, 20]
    assert [span.start for span in (await shared.get(20)).activity] == [20]
    assert bucket.counted == 2
