"""The limit on what a service gives up for reasons that do not lie in its records."""

import asyncio
from types import SimpleNamespace

import faust
import pytest

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.codec import Json
from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.batches.schema import BatchSchema
from orderapp.engine.delivery import limit as limits
from orderapp.engine.delivery import retry
from orderapp.engine.delivery.limit import GiveUp, Limit
from orderapp.engine.errors import RecordError, RetryableError
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up
from tests.engine.delivery.test_policy import DeadLetters, Event, Open, Stream, deliver, until
from tests.records import record

BUG = KeyError("country")


class Reading(faust.Record, include_metadata=False):
    """What a sensor says."""

    sensor: int


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_SLOW_WAIT", 0.01)
    monkeypatch.setattr(retry, "LONGEST_SLOW_WAIT", 0.05)
    monkeypatch.setattr(retry, "LOOK", 0.005)
    yield
    for place in list(blocked._reasons):
        blocked.free(place, mended=False)


@pytest.mark.parametrize(
    ("give_up", "failures", "is_reached"),
    [
        # (failed, done with them, done before) of each time
        (GiveUp(100, 0.5), [(1, 0, 0)], False),
        (GiveUp(100, 0.5), [(1, 0, 0)] * 100, False),
        (GiveUp(100, 0.5), [(1, 0, 0)] * 101, True),
        (GiveUp(100, 0.5), [(101, 0, 0)], True),
        (GiveUp(100, 0.5), [(101, 101, 0)], False),
        (GiveUp(100, 0.5), [(101, 100, 0)], True),
        (GiveUp(100, 0.5), [(1, 0, 0), (150, 0, 1000)], False),
        (GiveUp(1, 1.0), [(1000, 0, 0)], False),
        (GiveUp(5, 0.0), [(6, 1000, 0)], True),
    ],
)
def test_it_takes_both_a_number_and_a_share(give_up, failures, is_reached):
    limit = Limit("test", give_up)

    allowed = [limit.allows(*failure, BUG) for failure in failures]

    assert (limit.is_reached, not allowed[-1]) == (is_reached, is_reached)
    assert all(allowed[:-1])
    assert bool(blocked.reasons) is is_reached


def test_what_failed_more_than_a_minute_ago_does_not_count(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    limit = Limit("test", GiveUp(10, 0.5))

    for _ in range(50):
        assert limit.allows(10, 0, 0, BUG)
        now[0] += 61


class Service:
    """Fails for all but a few while it is broken."""

    def __init__(self, error=BUG, fine=()):
        self.error, self.fine = error, fine
        self.done, self.tries = [], 0

    async def __call__(self, batch):
        self.tries += 1
        if self.error and not set(batch.values) <= set(self.fine):
            raise self.error
        self.done += batch.values


def events(*sizes):
    first, found = 0, []
    for partition, size in enumerate(sizes):
        event = Event(list(range(first, first + size)))
        records = [record(key=b"%d" % n) for n in event.value.values]
        event.value = Batch("limited", partition, event.value.values, records)
        found.append(event)
        first += size
    return found


def opened(work, given, dead_letters, **options):
    stream = Open(*given)
    return asyncio.create_task(
        deliver("limited", stream, work, dead_letters, overlap=8, **options)
    )


@pytest.mark.parametrize("error", [BUG, RetryableError("the gateway is broken")])
async def test_a_service_that_fails_for_all_gives_nothing_up_and_goes_on_when_it_works(
    error, caplog
):
    service, dead_letters, given = Service(error), DeadLetters(), events(30, 30, 1)
    running = opened(service, given, dead_letters, give_up=GiveUp(20, 0.5))
    await until(lambda: blocked.reasons)
    tries = service.tries
    await until(lambda: service.tries > tries + 4)
    assert (dead_letters.sent, [event.acked for event in given]) == ([], [False] * 3)
    [reason] = blocked.reasons
    assert "limited: too many of its records fail" in reason
    assert ("limited", 0) in held_up
    assert [r.levelname for r in caplog.records].count("CRITICAL") == 1

    service.error = None
    await until(lambda: all(event.acked for event in given))

    assert sorted(service.done) == list(range(61))
    assert (dead_letters.sent, blocked.reasons, len(held_up)) == ([], [], 0)
    running.cancel()


async def test_what_still_fails_when_the_cause_is_gone_is_a_dead_letter():
    service, dead_letters, given = Service(), DeadLetters(), events(30, 30)
    running = opened(service, given, dead_letters, give_up=GiveUp(20, 0.5))
    await until(lambda: blocked.reasons)

    service.fine = set(range(60)) - {3, 44}
    await until(lambda: all(event.acked for event in given))

    assert sorted(key for key, _, _ in dead_letters.sent) == [b"3", b"44"]
    assert blocked.reasons == []
    running.cancel()


async def test_errors_that_lie_in_the_record_are_dead_letters_however_many_they_are():
    service, dead_letters, given = (
        Service(RecordError("sent again, changed")),
        DeadLetters(),
        events(300, 1),
    )
    running = opened(service, given, dead_letters, give_up=GiveUp(20, 0.5))

    await until(lambda: all(event.acked for event in given))

    assert (len(dead_letters.sent), blocked.reasons) == (301, [])
    running.cancel()


async def test_errors_that_lie_in_the_record_do_not_keep_a_service_that_works_again():
    service, dead_letters, given = Service(), DeadLetters(), events(30, 30)
    running = opened(service, given, dead_letters, give_up=GiveUp(20, 0.5))
    await until(lambda: blocked.reasons)

    service.error = RecordError("sent again, changed")
    await until(lambda: all(event.acked for event in given))

    assert (len(dead_letters.sent), blocked.reasons) == (60, [])
    running.cancel()


async def test_a_bug_while_records_are_decoded_counts_and_is_tried_again(caplog):
    bug, service, dead_letters = [KeyError("unit")], Service(error=None), DeadLetters()

    def convert(value, source):
        if bug and value.sensor:
            raise bug[0]
        return value

    async def reject(*bad):
        raise AssertionError

    records = [record(b'{"sensor":%d}' % n, key=b"%d" % n) for n in (*range(30), 0)]
    decoder = Decoder(Json(Reading), convert)
    schema = BatchSchema({"orders": decoder}, reject)
    event = Event([])
    event.message.topic, event.message.value = "orders", records
    decode = schema.compile(SimpleNamespace(create_event=lambda *args: args[1]))
    event.value = await decode(event.message)
    running = opened(service, [event], dead_letters, give_up=GiveUp(20, 0.5))
    await until(lambda: blocked.reasons)
    assert [value.sensor for value in service.done] == [0, 0]
    assert (dead_letters.sent, event.acked) == ([], False)

    bug.clear()
    await until(lambda: event.acked)

    assert [value.sensor for value in service.done] == [0, 0, *range(1, 30)]
    assert (dead_letters.sent, blocked.reasons) == ([], [])
    running.cancel()


async def test_a_few_poison_orders_are_dead_letters_at_once():
    service, dead_letters, given = Service(), DeadLetters(), events(*[1] * 10)
    running = opened(service, given, dead_letters)

    await until(lambda: all(event.acked for event in given))

    assert len(dead_letters.sent) == 10
    running.cancel()


async def test_when_all_that_failed_was_given_up_new_work_shows_whether_it_works():
    service, dead_letters, given = Service(), DeadLetters(), events(30)
    later = events(1)[0]

    class Stepwise(Stream):
        async def __aiter__(self):
            async for value in super().__aiter__():
                yield value
            await until(lambda: blocked.reasons)
            given[0].forget()
            service.error = None
            self.current_event = later
            yield later.value
            await asyncio.Event().wait()

    running = asyncio.create_task(
        deliver(
            "limited",
            Stepwise(*given),
            service,
            dead_letters,
            overlap=8,
            give_up=GiveUp(20, 0.5),
        )
    )
    await until(lambda: later.acked)

    assert (service.done, dead_letters.sent, blocked.reasons) == ([0], [], [])
    running.cancel()
