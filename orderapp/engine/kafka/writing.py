"""Writes messages until Kafka has confirmed them: what a send waits for is waited for here.

The work that led to them is not done again for Kafka's sake. A
batch that is too large for its topic is cut until it fits. What the topic refuses as it is
waits until somebody mends that, says so in one critical line, and lets other partitions go on.
A send that is no part of a delivery (a request, a timer) is tried once.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import chain, repeat
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from orderapp.engine.delivery.errand import Errand
from orderapp.engine.delivery.retry import pause, slow_waits, waits
from orderapp.engine.errors import SendFailedError, SendRefusedError
from orderapp.engine.kafka.partitioner import partition_of
from orderapp.engine.kafka.produce_errors import AWAY, REFUSED, TOO_LARGE, place_of, reason_for
from orderapp.engine.kafka.sending import send
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import Places, held_up
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.texts import text_or_class

logger = logging.getLogger(__name__)

Headers = list[tuple[str, bytes]]

#: Seconds after which an error that may pass, and does not come from Kafka being away, is no
#: longer only tried again but told.
PATIENCE = 30.0


class Part(NamedTuple):
    """Messages for a partition; for None the key decides, or the topic lacks the partition."""

    partition: int | None
    messages: Sequence[tuple[bytes | None, bytes | None]]
    #: Those of each message, None when no message has any.
    headers: Sequence[Headers] | None
    #: That of each message, in ms of Unix time; None: when it is sent.
    timestamps: Sequence[int | None] | None = None

    def each(self) -> Iterator[tuple[tuple[bytes | None, bytes | None], Headers, int | None]]:
        """Each message with its headers and its timestamp."""
        headers = repeat([]) if self.headers is None else self.headers
        timestamps = repeat(None) if self.timestamps is None else self.timestamps
        return zip(self.messages, headers, timestamps, strict=False)

    def cut(self, start: int, stop: int) -> "Part":
        """The messages from `start` up to and without `stop`."""
        headers = None if self.headers is None else self.headers[start:stop]
        timestamps = None if self.timestamps is None else self.timestamps[start:stop]
        return Part(self.partition, self.messages[start:stop], headers, timestamps)

    def by_partition(self, numbers: Iterable[int]) -> list["Part"]:
        """The messages for each partition, of which there is one number for each message."""
        groups = defaultdict(list)
        for number, message in zip(numbers, self.each(), strict=True):
            groups[number].append(message)
        return [Part(number, *zip(*group, strict=True)) for number, group in groups.items()]

    def halves(self) -> list["Part"]:
        """Two parts; none of one message."""
        half = len(self.messages) // 2
        return [self.cut(0, half), self.cut(half, len(self.messages))] if half else []


class Failure(NamedTuple):
    """What was not confirmed, and why."""

    part: Part
    error: Exception


async def write(
    producer: AIOKafkaProducer, topic: str, part: Part, errand: Errand | None
) -> None:
    """Return when Kafka has confirmed all messages of `part`.

    For an `errand` that takes as long as it takes; `ForgottenError` when it is given up.
    Without one `SendFailedError`; some may have been written then."""
    began = time.monotonic()
    failures = await _send(producer, topic, part)
    if failures and errand is None:
        raise send_failure(topic, failures[0].error)
    if failures and errand is not None:
        with held_up.waiting(errand.place), _Trouble(topic, errand, began) as trouble:
            while failures:
                await trouble.wait(failures)
                parts = [failure.part for failure in failures]
                failures = [f for part in parts for f in await _send(producer, topic, part)]


def send_failure(topic: str, error: Exception) -> SendFailedError:
    """What an error of a send to `topic` is for who sends."""
    if type(error) in REFUSED:
        return SendRefusedError(reason_for(topic, error))
    return SendFailedError(f"sending to {topic!r} failed: {error!r}")


class _Trouble:
    """What keeps one send from being confirmed, while it is tried again."""

    def __init__(self, topic: str, errand: Errand, began: float) -> None:
        self._topic = topic
        self._errand = errand
        self._began = began
        self._tries = 0
        self._waits, self._slow_waits = waits(), slow_waits()
        self._is_told = False
        self._stack = ExitStack()

    def __enter__(self) -> "_Trouble":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        if exc_info[0] is None and not self._is_told and _few(self._topic).room():
            logger.info("sending to %s: confirmed at attempt %d", self._topic, self._tries + 1)
        self._stack.__exit__(*exc_info)

    async def wait(self, failures: list[Failure]) -> None:
        """Return when it is time to try again; raises `ForgottenError`."""
        self._tries += 1
        error = max((failure.error for failure in failures), key=lambda e: type(e) in REFUSED)
        reason = self._reason(error)
        if reason is not None and not self._is_told:
            self._is_told = True
            self._stack.enter_context(_blocked(place_of(self._topic, error), reason))
            self._stack.enter_context(self._errand.aside())
        seconds = next(self._waits if reason is None else self._slow_waits)
        if reason is None and _few(self._topic).room():
            line = "sending to %s: %s (attempt %d, next in %.1f s)"
            logger.warning(line, self._topic, text_or_class(error), self._tries, seconds)
        await pause(seconds, self._errand.check_wanted)

    def _reason(self, error: Exception) -> str | None:
        """Why somebody has to mend something; None while it may be that nobody has."""
        if type(error) not in REFUSED and (
            type(error) in AWAY or time.monotonic() - self._began < PATIENCE
        ):
            return None
        return reason_for(self._topic, error)


_waiting = Places[tuple[str, type[Exception]]]()


@contextmanager
def _blocked(place: tuple[str, type[Exception]], reason: str) -> Iterator[None]:
    # Many sends wait for one thing: it is told with the first, and mended with the last.
    if place not in _waiting:
        blocked.block(place, reason)
    mended = False
    try:
        with _waiting.waiting(place):
            yield
        mended = True
    finally:
        if place not in _waiting:
            blocked.free(place, mended=mended)


@cache
def _few(topic: str) -> Few:
    return Few(logger, logging.WARNING, f"tries to send to {topic}", most=10)


@cache
def _few_cut(topic: str) -> Few:
    return Few(logger, logging.WARNING, f"batches too large for {topic}", most=1, seconds=600)


async def _send(producer: AIOKafkaProducer, topic: str, part: Part) -> list[Failure]:
    """Send once, and what is too large in smaller and smaller batches; what failed."""
    if part.partition is None and len(part.messages) > 1:
        return await _send_grouped(producer, topic, part)
    failures = []
    for failed, error in await _try(producer, topic, part):
        smaller = _smaller(topic, failed) if isinstance(error, TOO_LARGE) else []
        for each in smaller:
            failures += await _send(producer, topic, each)
        if not smaller:
            failures.append(Failure(failed, error))
    return failures


async def _send_grouped(producer: AIOKafkaProducer, topic: str, part: Part) -> list[Failure]:
    """The same of messages whose keys decide: a batch for each partition costs less than a
    future for each message."""
    try:
        numbers = sorted(await producer.partitions_for(topic))
    except KafkaError as error:
        return [Failure(part, error)]
    parts = part.by_partition([partition_of(key, numbers) for key, _ in part.messages])
    found = await asyncio.gather(*(_send(producer, topic, each) for each in parts))
    return [*chain.from_iterable(found)]


def _smaller(topic: str, part: Part) -> list[Part]:
    smaller = part.halves()
    if smaller and _few_cut(topic).room():
        line = (
            "a batch is too large for the topic %s (max.message.bytes): cut into smaller ones"
        )
        logger.warning(line, topic)
    return smaller


async def _try(producer: AIOKafkaProducer, topic: str, part: Part) -> list[Failure]:
    """Send once; what was not confirmed."""
    # Each future confirms the messages up to an index, from where the one before it ends.
    sent: list[tuple[int, asyncio.Future[Any]]] = []
    unsent: Exception | None = None
    try:
        if part.partition in await producer.partitions_for(topic):
            await _send_batches(producer, topic, part, sent)
        else:
            await _send_by_key(producer, topic, part, sent)
    # An assertion: the topic was made anew meanwhile, and lacks the partition.
    except (KafkaError, AssertionError) as error:
        unsent = error
    failures, start = [], 0
    for (stop, _), result in zip(sent, await _results(sent), strict=True):
        if isinstance(result, KafkaError):
            failures.append(Failure(part.cut(start, stop), result))
        elif isinstance(result, BaseException):
            raise result
        start = stop
    if unsent is not None:
        failures.append(Failure(part.cut(start, len(part.messages)), unsent))
    return failures


async def _results(sent: list[tuple[int, asyncio.Future[Any]]]) -> list[Any]:
    if len(sent) == 1:
        try:
            return [await sent[0][1]]
        except KafkaError as error:
            return [error]
    return await asyncio.gather(*(future for _, future in sent), return_exceptions=True)


async def _send_batches(
    producer: AIOKafkaProducer,
    topic: str,
    part: Part,
    sent: list[tuple[int, asyncio.Future[Any]]],
) -> None:
    """One future for each batch, not one for each message."""
    now, partition = int(time.time() * 1000), part.partition
    batch, done = producer.create_batch(), 0
    for (key, value), own, timestamp in part.each():
        at = now if timestamp is None else timestamp
        if batch.append(key=key, value=value, timestamp=at, headers=own) is None:
            done += batch.record_count()
            sent.append((done, await producer.send_batch(batch, topic, partition=partition)))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=at, headers=own)
    if batch.record_count():
        done += batch.record_count()
        sent.append((done, await producer.send_batch(batch, topic, partition=partition)))


async def _send_by_key(
    producer: AIOKafkaProducer,
    topic: str,
    part: Part,
    sent: list[tuple[int, asyncio.Future[Any]]],
) -> None:
    for index, ((key, value), own, at) in enumerate(part.each(), start=1):
        future = await send(producer, topic, key=key, value=value, headers=own, timestamp=at)
        sent.append((index, future))
