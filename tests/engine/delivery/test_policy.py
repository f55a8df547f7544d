"""Delivery: retries, dead letters, overlap and order."""

import asyncio
import re
import time
from types import SimpleNamespace

import pytest

from orderapp.engine.batches.batch import Batch
from orderapp.engine.delivery import retry
from orderapp.engine.delivery.errand import ForgottenError
from orderapp.engine.delivery.policy import deliver
from orderapp.engine.delivery.retry import Retry, persist, waits
from orderapp.engine.errors import (
    PartlyFailedError,
    RetryableError,
    SendFailedError,
    TransientError,
)
from orderapp.engine.observe import logs
from orderapp.engine.observe.held_up import held_up, standing_still
from orderapp.engine.observe.texts import one_line
from tests.records import record


class Event:
    """What Faust hands to an agent."""

    def __init__(self, values, keys=None, partition=0, headers=()):
        records = [
            record(key=key.encode(), headers=headers) for key in keys or map(str, values)
        ]
        self.value = Batch("orders", partition, list(values), records)
        self.acked = False
        # Several agents share a message, so that one ack does not make it acked.
        self.message = SimpleNamespace(acked=False, tp=("orders", partition))

    def ack(self):
        self.acked = True

    def forget(self):
        """What `Consumer.drain` does with a delivery whose partition goes away."""
        self.message.acked = True


class Stream:
    """A stream of given events, which then stays open."""

    def __init__(self, *events):
        self._events = events
        self.enable_acks = True

    async def __aiter__(self):
        for event in self._events:
            self.current_event = event
            yield event.value


class Open(Stream):
    """Stays open until it is closed."""

    async def __aiter__(self):
        async for value in super().__aiter__():
            yield value
        await asyncio.Event().wait()


class DeadLetters:
    def __init__(self):
        self.sent = []
        self.failures = []

    async def __call__(self, dead, failure):
        self.sent.append((dead.key, one_line(failure.error), failure.service))
        self.failures.append(failure)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.004)


async def until(check):
    """Return when `check` holds. It counts looks, not seconds, in which a paused process does
    nothing."""
    for _ in range(2000):
        if check():
            return
        await asyncio.sleep(0.005)
    raise AssertionError


async def run(work, *events, overlap=1, max_attempts=1, dead_letters=None):
    dead_letters, stream = dead_letters or DeadLetters(), Stream(*events)
    running = asyncio.create_task(
        deliver("test", stream, work, dead_letters, overlap=overlap, retry=Retry(max_attempts))
    )
    await running
    assert stream.enable_acks is False
    return dead_letters.sent


async def test_a_batch_is_acked_when_its_work_is_done():
    done = []

    async def work(batch):
        assert not first.acked
        done.append(batch.values)

    first = Event([1, 2])
    assert await run(work, first) == []
    assert (done, first.acked) == ([[1, 2]], True)


async def test_an_empty_batch_is_acked_without_work():
    async def work(batch):
        raise AssertionError

    event = Event([])
    assert await run(work, event) == []
    assert event.acked


@pytest.mark.parametrize("error", [TransientError("away"), SendFailedError("no answer")])
async def test_an_error_that_passes_is_tried_again_until_it_has(error):
    tries = []

    async def work(batch):
        tries.append(batch.values)
        if len(tries) < 5:
            raise error

    event = Event([1, 2])
    assert await run(work, event) == []
    assert (tries, event.acked) == ([[1, 2]] * 5, True)


async def test_an_error_that_stays_sends_only_its_own_record_to_the_dead_letters():
    done = []

    async def work(batch):
        if 2 in batch.values:
            raise RuntimeError("no 2 please")
        done.extend(batch.values)

    event = Event([1, 2, 3])
    assert await run(work, event) == [(b"2", "no 2 please", "test")]
    assert (done, event.acked) == ([1, 3], True)


class NoTextError(Exception):
    def __str__(self):
        raise KeyError("text")

    __repr__ = __str__


async def cancelled():
    waited_for = asyncio.get_running_loop().create_future()
    waited_for.cancel()
    await waited_for


def raising(error):
    async def work():
        raise error

    return work


@pytest.mark.parametrize(
    "fail",
    [
        raising(KeyError("x")),
        raising(NoTextError()),
        raising(StopAsyncIteration()),
        raising(RecursionError()),
        raising(PartlyFailedError({7: ValueError("there is no eighth record")})),
        cancelled,
    ],
    ids=["KeyError", "no text", "StopAsyncIteration", "RecursionError", "index", "cancelled"],
)
async def test_whatever_a_rule_raises_costs_only_the_record_that_it_is_about(fail):
    done = []

    async def work(batch):
        if 2 in batch.values:
            await fail()
        done.extend(batch.values)

    event = Event([1, 2, 3])
    given_up = await run(work, event)

    assert (done, [key for key, *_ in given_up], event.acked) == ([1, 3], [b"2"], True)


async def test_tries_that_fail_are_said_a_few_times_and_counted(caplog):
    async def work(batch):
        raise RetryableError("no answer")

    await run(work, *(Event([n]) for n in range(10)), max_attempts=3)
    logs.say_rest()

    said = [m for m in caplog.messages if "failed at attempt" in m]
    assert said[0].startswith(
        "test: 1 from orders[0] failed at attempt 1: RetryableError: no answer"
    )
    assert len(said) == 5
    [rest] = [m for m in caplog.messages if "more" in m]
    assert re.fullmatch(r"…and 15 more times that test failed in \d+ s", rest)


async def test_an_error_of_others_is_tried_again_until_it_has_passed():
    tries = []

    async def work(batch):
        tries.append((batch.values, batch.attempt))
        if len(tries) < 3:
            raise RetryableError("no answer")

    event = Event([1, 2])
    assert await run(work, event, max_attempts=3) == []
    assert tries == [([1, 2], 1), ([1, 2], 2), ([1, 2], 3)]
    assert event.acked


async def test_each_attempt_knows_when_those_before_it_began_and_had_failed():
    seen = []

    async def work(batch):
        seen.append((batch.failures, batch.began, batch.part(0, 1).failures))
        await asyncio.sleep(0.01)
        if batch.attempt < 4:
            raise PartlyFailedError({0: RetryableError("no answer")})

    before = time.time()
    await run(work, Event([1]), max_attempts=4)

    assert seen[0] == ((), None, ())
    assert [len(failures) for failures, _, _ in seen] == [0, 1, 2, 3]
    (first, second, third), began, of_a_part = seen[3]
    assert (seen[1][0], seen[2][0], of_a_part) == ((first,), (first, second), seen[3][0])
    times = [before, *first, *second, *third, began, time.time()]
    assert times == sorted(times)
    for start, end in (first, second, third):
        assert end - start > 0.009
    # Each has the beginning that it was told of itself.
    assert [second[0], third[0]] == [seen[1][1], seen[2][1]]


async def test_the_times_of_the_last_attempts_are_kept_however_many_there_were():
    seen = []

    async def work(batch):
        seen.append(batch.failures)
        if batch.attempt < 60:
            raise RetryableError("no answer")

    await run(work, Event([1]), Event([2]), max_attempts=60)

    assert [len(failures) for failures in seen] == [*range(50), *[50] * 10] * 2
    assert seen[59][-2] == seen[58][-1]
    # The next record's attempts are its own.
    assert seen[119][0][0] > seen[59][-1][1]


async def test_an_error_of_others_that_does_not_pass_in_time_ends_in_the_dead_letters():
    tries, dead_letters = [], DeadLetters()

    async def work(batch):
        tries.append(batch.values)
        raise RetryableError("no answer")

    event = Event([1, 2])
    await run(work, event, max_attempts=4, dead_letters=dead_letters)

    assert tries == [[1, 2]] * 4
    assert dead_letters.sent == [(b"1", "no answer", "test"), (b"2", "no answer", "test")]
    assert [failure.attempts for failure in dead_letters.failures] == [4, 4]
    assert all(failure.first for failure in dead_letters.failures)
    assert event.acked


async def test_only_the_records_that_failed_are_tried_again():
    tries, dead_letters = [], DeadLetters()

    async def work(batch):
        tries.append(batch.values)
        errors = {}
        for index, value in enumerate(batch.values):
            if value == "never":
                errors[index] = RetryableError("no answer")
            elif value == "bad":
                errors[index] = ValueError("no")
            elif value == "later" and batch.attempt < 2:
                errors[index] = RetryableError("busy")
        if errors:
            raise PartlyFailedError(errors)

    event = Event(["ok", "later", "bad", "never"])
    await run(work, event, max_attempts=3, dead_letters=dead_letters)

    assert tries == [["ok", "later", "bad", "never"], ["later", "never"], ["never"]]
    assert dead_letters.sent == [(b"bad", "no", "test"), (b"never", "no answer", "test")]
    assert [failure.attempts for failure in dead_letters.failures] == [1, 3]
    assert event.acked


async def test_records_that_fail_for_want_of_our_own_means_wait_and_use_up_no_attempt():
    tries, dead_letters = [], DeadLetters()

    async def work(batch):
        tries.append(list(batch.values))
        errors = {}
        for index, value in enumerate(batch.values):
            if value == "waits" and batch.attempt < 8:
                errors[index] = TransientError("blocked")
            elif value == "waits" and batch.attempt < 10:
                errors[index] = RetryableError("busy")
            elif value == "bad":
                errors[index] = ValueError("no")
        if errors:
            raise PartlyFailedError(errors)

    event = Event(["ok", "waits", "bad"])
    await run(work, event, max_attempts=3, dead_letters=dead_letters)

    assert tries == [["ok", "waits", "bad"], *[["waits"]] * 9]
    assert dead_letters.sent == [(b"bad", "no", "test")]
    assert event.acked


async def test_a_bad_record_does_not_spend_its_neighbours_tries():
    done, dead_letters = [], DeadLetters()

    async def work(batch):
        if "bad" in batch.values:
            raise ValueError("no")
        if "slow" in batch.values and batch.attempt == 1:
            raise RetryableError("busy")
        done.extend(batch.values)

    await run(work, Event(["ok", "bad", "slow"]), max_attempts=2, dead_letters=dead_letters)

    assert dead_letters.sent == [(b"bad", "no", "test")]
    assert done == ["ok", "slow"]


@pytest.mark.parametrize(
    ("services", "seen"), [(b"other", []), (b"test", [[1]]), (b"other,test", [[1]])]
)
async def test_a_replay_is_only_for_the_services_it_names(services, seen):
    done = []

    async def work(batch):
        done.append(batch.values)

    event = Event([1], headers=[("replay-for", services), ("replay-of", b"orders-dlq[0]@1")])
    assert await run(work, event) == []
    assert (done, event.acked) == (seen, True)


@pytest.mark.parametrize("error", [TransientError("away"), RetryableError("no answer")])
@pytest.mark.parametrize("overlap", [1, 4])
async def test_a_delivery_that_was_given_up_is_not_tried_again(error, overlap):
    tries, dead_letters = [], DeadLetters()

    async def work(batch):
        tries.append(batch.values)
        if batch.values == [1]:
            given_up.forget()
            raise error

    given_up, next_one = Event([1]), Event([2])
    running = asyncio.create_task(
        deliver(
            "test",
            Stay(given_up, next_one),
            work,
            dead_letters,
            overlap=overlap,
            retry=Retry(9),
        )
    )
    await until(lambda: next_one.acked)
    await asyncio.sleep(0.05)  # another try of the first would come after 5 ms
    running.cancel()
    await asyncio.wait([running])

    assert sorted(tries) == [[1], [2]]
    assert (given_up.acked, next_one.acked) == (False, True)
    assert dead_letters.sent == []


async def given_up_meanwhile(first, *others, overlap):
    """What is begun when all deliveries are given up during the work on the first."""
    begun = []

    async def work(batch):
        begun.append(batch.values)
        for event in (first, *others):
            event.forget()

    stream = Stay(first, *others)
    running = asyncio.create_task(deliver("test", stream, work, DeadLetters(), overlap=overlap))
    await until(lambda: begun)
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])
    assert not any(event.acked for event in others)
    return begun


async def test_the_second_part_of_a_delivery_that_was_given_up_is_not_begun():
    twice = Event(["x", "y"], ["a", "a"])

    assert await given_up_meanwhile(twice, overlap=2) == [["x"]]
    assert not twice.acked


async def test_a_delivery_that_was_given_up_while_it_waited_for_its_turn_is_not_begun():
    first, second = Event(["x"], ["a"]), Event(["y"], ["a"])

    assert await given_up_meanwhile(first, second, overlap=4) == [["x"]]


@pytest.mark.parametrize("overlap", [1, 2])
async def test_a_delivery_that_was_given_up_while_it_waited_for_room_is_not_begun(overlap):
    events = [Event([value], [value]) for value in "xyzu"[: overlap + 2]]

    assert await given_up_meanwhile(*events, overlap=overlap) == [["x"]]


@pytest.mark.parametrize("error", [ValueError("no"), RetryableError("no answer")])
@pytest.mark.parametrize("values", [[1], [1, 2]])
async def test_no_record_of_a_delivery_that_was_given_up_becomes_a_dead_letter(error, values):
    dead_letters = DeadLetters()

    async def work(batch):
        event.forget()
        raise error

    event = Event(values)
    running = asyncio.create_task(deliver("test", Stay(event), work, dead_letters))
    await until(lambda: event.message.acked)
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])

    assert dead_letters.sent == []
    assert not event.acked


async def test_what_waits_for_something_outside_is_counted_and_named_while_it_waits():
    counts, names = [], []

    async def attempt():
        counts.append(len(held_up))
        names.append([*standing_still])
        if len(counts) < 3:
            raise TransientError("away")

    await persist("storing", attempt)

    assert counts == [0, 1, 1]
    assert names == [[], ["storing"], ["storing"]]
    assert len(held_up) == len(standing_still) == 0


async def test_what_somebody_else_has_to_do_now_no_longer_stands_still_here():
    async def attempt():
        if standing_still:
            raise ForgottenError
        raise TransientError("away")

    with pytest.raises(ForgottenError):
        await persist("storing", attempt)

    assert not [*standing_still]


async def test_an_unfinished_batch_is_not_acked_when_the_agent_is_stopped():
    started = asyncio.Event()

    async def work(batch):
        started.set()
        await asyncio.sleep(60)

    for overlap in (1, 4):
        started.clear()
        event = Event([1])
        running = asyncio.create_task(
            deliver("test", Stay(event), work, DeadLetters(), overlap=overlap)
        )
        await started.wait()
        running.cancel()
        await asyncio.wait([running])
        assert not event.acked


class Stay(Stream):
    """A stream that stays open, as Faust's do."""

    async def __aiter__(self):
        async for value in super().__aiter__():
            yield value
        await asyncio.sleep(60)


async def overlapping(work, *events, overlap):
    running = asyncio.create_task(
        deliver("test", Stay(*events), work, DeadLetters(), overlap=overlap)
    )
    await until(lambda: all(event.acked for event in events))
    running.cancel()
    await asyncio.wait([running])


async def test_batches_overlap_up_to_the_limit():
    at_once, most = 0, 0

    async def work(batch):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1

    await overlapping(work, *(Event([n]) for n in range(12)), overlap=4)

    assert most == 4


async def test_batches_that_share_a_key_have_their_turns_in_order():
    log = []

    async def work(batch):
        value = batch.values[0]
        log.append(("start", value))
        await asyncio.sleep(0.02 if value == "a1" else 0.001)
        log.append(("end", value))

    events = [Event(["a1"], ["a"]), Event(["b1"], ["b"]), Event(["a2"], ["a"])]
    await overlapping(work, *events, overlap=8)

    assert log.index(("end", "a1")) < log.index(("start", "a2"))
    assert log.index(("start", "b1")) < log.index(("end", "a1"))


async def test_two_records_of_one_key_in_a_batch_have_their_turns_in_order():
    turns = []

    async def work(batch):
        turns.append("".join(batch.values))

    await overlapping(work, Event(["x", "y", "z"], ["a", "b", "a"]), overlap=2)

    assert turns == ["xy", "z"]


async def test_persist_says_what_it_waits_for(caplog):
    caplog.set_level("INFO")
    failures = [TransientError("the store is away")]

    async def attempt():
        if failures:
            raise failures.pop()

    await persist("storing", attempt)

    assert "storing: the store is away (attempt 1, next in" in caplog.text
    assert "storing: done at attempt 2" in caplog.text


async def test_records_that_wait_for_the_same_are_said_a_few_times_and_counted(
    caplog, monkeypatch
):
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: 100.0))
    tries = 0

    async def attempt():
        nonlocal tries
        tries += 1
        if tries <= 200:
            raise TransientError("no\nKafka")

    await asyncio.gather(*(persist(f"letter {n}", attempt, ("few", 0)) for n in range(100)))
    logs.say_rest()

    *said, rest = caplog.messages
    assert len(said) == 10
    assert all("no Kafka (attempt " in line for line in said)
    assert re.fullmatch(r"…and \d+ more tries for few\[0\] in 0 s", rest)


def test_waits_grow_to_a_bound():
    wait = waits()
    seen = [next(wait) for _ in range(50)]

    assert seen[0] < 0.002
    assert all(0 < seconds <= retry.LONGEST_WAIT * 1.25 for seconds in seen)
    assert min(seen[10:]) >= retry.LONGEST_WAIT * 0.75


@pytest.mark.parametrize("error", [None, ForgottenError(), RuntimeError("no topic for it")])
async def test_a_delivery_is_done_when_what_could_not_be_decoded_is_buried(error):
    dead_letters = asyncio.get_running_loop().create_future()
    event = Event([1])
    object.__setattr__(event.value, "rejection", dead_letters)
    done = []

    async def work(batch):
        done.extend(batch.values)

    running = asyncio.create_task(deliver("test", Open(event), work, DeadLetters(), overlap=2))
    await until(lambda: done)
    await asyncio.sleep(0.05)
    assert (done, event.acked) == ([1], False)

    if error is None:
        dead_letters.set_result(None)
        await until(lambda: event.acked)
    else:
        dead_letters.set_exception(error)
        await asyncio.sleep(0.05)

    assert event.acked is (error is None)
    running.cancel()
