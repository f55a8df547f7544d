"""Windows are brought to where a batch begins, whoever read what before."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderapp import memory, topics
from orderapp.app import app
from orderapp.engine import Batch, FatalError, TransientError
from orderapp.judging import Asked, hits_with_windows
from orderapp.memory import Memory
from orderapp.models import Order
from orderapp.rule import Rule
from orderapp.rules.customer_velocity import customer_velocity
from orderapp.window import Windows
from tests.records import record

NAME = topics.orders_by_customer.name
TOPIC = topics.orders_by_customer
SECONDS = 10


class Log:
    """Stands in for Kafka: orders by customer, and records that are none."""

    def __init__(self):
        self.records = []
        self.reads = []
        self.error = None

    def __call__(self, _):
        return self

    async def __aenter__(self):
        if self.error:
            raise self.error
        return self

    async def __aexit__(self, *_):
        pass

    def add(self, order_id, at, customer_id=1234):
        order = Order(order_id, customer_id, 10.0, "DE", "2026-11-23T18:30:00.000000Z")
        value = TOPIC.codec.encode(order) if order_id else b"no order"
        place = {"topic": NAME, "offset": len(self.records), "timestamp": at}
        self.records.append(record(value, TOPIC.key_of(order), **place))

    async def begins_at(self, topic, timestamp):
        found = [one.offset for one in self.records if one.timestamp >= timestamp]
        return {0: found[0]} if found else {}

    async def read(self, topic, ends, begins):
        self.reads.append((begins[0], ends[0]))
        for at in range(begins[0], ends[0], 2):
            yield 0, self.records[at : min(at + 2, ends[0])]

    def batch(self, begin, end):
        return app.decoder(NAME).batch(self.records[begin:end])[0]


@pytest.fixture
def log(monkeypatch):
    log = Log()
    monkeypatch.setattr(memory, "TopicReader", log)
    return log


def of_the_log():
    return Memory(NAME, object, app.decoder(NAME))


def judge(known, batch, seconds=SECONDS):
    """Which orders are found, and the records' offsets."""
    asked = [
        Asked(Rule.of(customer_velocity, "active").changed("active", 2, {"seconds": seconds}))
    ]
    windows = asyncio.run(known.before(batch, seconds))
    times = [one.timestamp for one in batch.records]
    hits = hits_with_windows(asked, batch.values, times, windows)
    return [(batch.records[at].offset, detail) for at, _, detail in hits]


orders = st.tuples(st.integers(0, 30), st.integers(0, 25).map(lambda s: s * 1000))


@given(st.lists(orders, min_size=1, max_size=40), st.data())
def test_it_is_all_the_same_who_reads_and_how_often(made, data):
    log = Log()
    for order_id, at in made:
        log.add(order_id, at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "TopicReader", log)
        whole = judge(of_the_log(), log.batch(0, len(made))) if any(o for o, _ in made) else []
        workers, at, found = [of_the_log(), of_the_log()], 0, set()
        while at < len(made):
            end = data.draw(st.integers(at + 1, len(made)))
            batch = log.batch(at, end)
            if len(batch):
                found |= {*judge(data.draw(st.sampled_from(workers)), batch)}
            at = data.draw(st.sampled_from([end, end, at]))  # or killed before its commit

    assert sorted(found) == whole


def test_batches_that_follow_each_other_read_nothing(log):
    for n in range(1, 9):
        log.add(n, n)
    known = of_the_log()

    assert judge(known, log.batch(0, 3)) == []
    assert judge(known, log.batch(3, 5)) == [(3, "4 orders in 10 s"), (4, "5 orders in 10 s")]
    assert log.reads == []


def test_only_what_can_be_in_a_window_is_read(log):
    for n in range(1, 31):
        log.add(n, n * 1000)

    assert judge(of_the_log(), log.batch(29, 30)) == [(29, "10 orders in 10 s")]
    assert log.reads == [(20, 29)]


def test_what_others_have_read_in_between_is_caught_up_with(log):
    for n in range(1, 10):
        log.add(n, 1000)
    known = of_the_log()
    judge(known, log.batch(0, 2))

    assert judge(known, log.batch(8, 9)) == [(8, "9 orders in 10 s")]
    assert log.reads == [(2, 8)]


def test_a_batch_that_comes_again_has_the_same_verdicts(log):
    for n in range(1, 10):
        log.add(n, 1000)
    known = of_the_log()

    assert judge(known, log.batch(2, 9)) == judge(known, log.batch(2, 9)) != []
    assert log.reads == [(0, 2), (0, 2)]


def test_a_longer_window_is_built_anew_and_a_shorter_one_is_not(log):
    for n in range(1, 31):
        log.add(n, n * 1000)
    known = of_the_log()

    assert judge(known, log.batch(27, 28))[0][1] == "10 orders in 10 s"
    assert judge(known, log.batch(28, 29), 20)[0][1] == "20 orders in 20 s"
    assert judge(known, log.batch(29, 30), 5)[0][1] == "5 orders in 5 s"
    assert len(log.reads) == 2


def test_a_topic_that_was_made_anew_has_windows_of_its_own(log):
    for n in range(1, 10):
        log.add(n, 1000)
    known = of_the_log()
    judge(known, log.batch(0, 6))
    known.notice("another")
    assert len(judge(known, log.batch(6, 7))) == 1
    assert log.reads == []

    known.notice(NAME)

    judge(known, log.batch(7, 8))
    assert log.reads == [(0, 7)]


@pytest.mark.parametrize("error", [FatalError("may not be read"), TransientError("is away")])
def test_what_cannot_be_read_is_tried_again_and_nothing_is_given_up(log, error):
    for n in range(1, 10):
        log.add(n, 1000)
    known, log.error = of_the_log(), error

    with pytest.raises(TransientError, match=str(error)):
        judge(known, log.batch(5, 9))
    log.error = None

    assert len(judge(known, log.batch(5, 9))) == 4


def test_an_empty_batch_of_no_orders_is_nothing():
    assert hits_with_windows([], Batch(NAME, 0, [], []).values, [], Windows(1)) == []
