"""At-least-once, in one place: what happens to a batch until its offset may be committed.

An agent hands its stream and a `work` function to `deliver`. A batch is acked when its work
has returned, and only then. An exception in a Faust agent would ack the message and go on
with the next, so none gets out of here:

- an error of our own infrastructure (`TransientError`: store away) is tried again with growing
  waits, for as long as it takes; nothing is acked meanwhile. (A send that is not confirmed is
  tried again by itself, without the work that led to it: see `writing`);
- an error of others that may pass (`RetryableError`: somebody who does not answer) is tried
  again with growing waits, a limited number of times;
- any other error, and one that did not pass in time, is cut down to the one record that causes
  it, and that record goes to the dead-letter topic. Its neighbours go on. When that would be
  too many, nothing is given up until the service works again: see `limit`. (An error that
  lies in the record, `RecordError`, does not count; a bug met in decoding does.)

Work may therefore be repeated, and has to bear it.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from aiokafka import ConsumerRecord
from faust.types import TP, EventT, StreamT

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.records import about
from orderapp.engine.delivery.errand import Errand, ForgottenError, SetAside, nothing_set_aside
from orderapp.engine.delivery.failure import Failure, moment
from orderapp.engine.delivery.limit import GiveUp, Limit
from orderapp.engine.delivery.retry import persist, waits
from orderapp.engine.errors import (
    PartlyFailedError,
    RecordError,
    RetryableError,
    TransientError,
)
from orderapp.engine.observe import tracing
from orderapp.engine.observe.held_up import held_up
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.metrics import meter
from orderapp.engine.observe.texts import one_line

logger = logging.getLogger(__name__)

V = TypeVar("V")
Work = Callable[[Batch[V]], Awaitable[None]]
#: Sends a record to the dead-letter topic; returns when Kafka has confirmed it.
Bury = Callable[[ConsumerRecord, Failure], Awaitable[None]]


async def deliver(
    service: str,
    stream: StreamT[Any],
    work: Work[V],
    bury: Bury,
    *,
    overlap: int = 1,
    max_attempts: int = 1,
    set_aside: SetAside = nothing_set_aside,
    give_up: GiveUp = GiveUp(),  # noqa: B008 - frozen
) -> None:
    """Give every batch of `stream` to `work`, `overlap` batches at a time.

    With an overlap, batches that share a key still have their turns one after the other, and
    so have two records of one key in a batch. What waits until somebody mends something is
    `set_aside`, and then takes no room among the others."""
    few = Few(logger, logging.WARNING, f"times that {service} failed")
    policy = _Policy(service, work, bury, max_attempts, few, Limit(service, give_up))
    turns = _Turns(policy, overlap, set_aside)
    # The end of the loop body would ack, also when it ends by an exception or because the
    # worker stops. Acks are given by hand instead.
    stream.enable_acks = False
    try:
        async for _ in stream:
            event = stream.current_event
            if event is not None:
                await turns.start(event)
    finally:
        turns.cancel()


@dataclass(frozen=True, slots=True)
class _Policy:
    """What a service does with its records, and how often."""

    service: str
    work: Work[Any]
    bury: Bury
    max_attempts: int
    few: Few
    limit: Limit


class _Turn:
    """What becomes of the records of one delivery."""

    def __init__(self, policy: _Policy, errand: Errand) -> None:
        self._policy = policy
        self._errand = errand
        self._check_wanted = errand.check_wanted
        self.service = policy.service

    async def settle(self, batch: Batch[Any]) -> None:
        """Return when each record is done or a dead letter."""
        limit = self._policy.limit
        if was_reached := limit.is_reached:
            with self._standing_still(batch):
                await limit.admit(self._check_wanted)
        began = time.perf_counter()
        with tracing.processing(self.service, batch):
            errors = await self._try(batch)
            if was_reached:
                limit.look(_failed(errors.values()), len(batch))
            buried = await self._try_again(batch, errors) if errors else 0
        meter(self.service, batch.topic).settled(batch.records, began, buried)

    async def _try_again(self, batch: Batch[Any], errors: Mapping[int, Exception]) -> int:
        """Settle what failed; how many records became dead letters."""
        first, pauses, buried, most = moment(), waits(), 0, self._policy.max_attempts
        while errors:
            may_pass: tuple[type[Exception], ...] = (TransientError,)
            if batch.attempt < most:
                may_pass += (RetryableError,)
            lost = [i for i in sorted(errors) if not isinstance(errors[i], may_pass)]
            # A record that the new owner processes must not become a dead letter here.
            self._check_wanted()
            if lost and not self._allows(batch, errors, lost):
                batch, errors = await self._stand_still(batch, errors)
                continue
            await self._bury(batch, errors, lost, first)
            buried += len(lost)
            if len(lost) == len(errors):
                break
            # What failed for want of our own infrastructure has not used up an attempt.
            most += not any(isinstance(error, RetryableError) for error in errors.values())
            batch, wait = batch.again(sorted(errors.keys() - lost)), next(pauses)
            meter(self.service, batch.topic).retried()
            if self._policy.few.room():
                self._say(batch, next(iter(errors.values())), wait)
            with held_up.waiting((batch.topic, batch.partition)):
                await asyncio.sleep(wait)
                errors = await self._try(batch)
        return buried

    def _allows(
        self, batch: Batch[Any], errors: Mapping[int, Exception], lost: list[int]
    ) -> bool:
        well, done = meter(self.service, batch.topic).well, len(batch) - len(errors)
        failed = _failed(errors[index] for index in lost)
        cause = min(lost, key=lambda index: isinstance(errors[index], RecordError))
        return self._policy.limit.allows(failed, done, well, errors[cause])

    async def _stand_still(
        self, batch: Batch[Any], errors: Mapping[int, Exception]
    ) -> tuple[Batch[Any], Mapping[int, Exception]]:
        """Give nothing up until the service works again; what still fails then."""

        async def attempt() -> tuple[int, int]:
            nonlocal batch, errors
            batch = batch.again(sorted(errors))
            meter(self.service, batch.topic).retried()
            errors = await self._try(batch)
            return _failed(errors.values()), len(batch)

        limit, before = self._policy.limit, batch
        with self._standing_still(batch), limit.waiting():
            await limit.gone(attempt, self._check_wanted)
        if batch is before:
            await attempt()  # it was others who found that it works
        return batch, errors

    @contextmanager
    def _standing_still(self, batch: Batch[Any]) -> Iterator[None]:
        with held_up.waiting((batch.topic, batch.partition)), self._errand.aside():
            yield

    def _say(self, batch: Batch[Any], error: Exception, wait: float) -> None:
        logger.warning(
            "%s: %d from %s[%d] failed at try %d: %s: %s (next in %.1f s)",
            self.service,
            len(batch),
            batch.topic,
            batch.partition,
            batch.attempt - 1,
            type(error).__name__,
            one_line(error),
            wait,
            extra=self._about(batch),
        )

    def _about(self, batch: Batch[Any]) -> dict[str, Any]:
        if len(batch) == 1:
            return about(batch.records[0], service=self.service, attempt=batch.attempt - 1)
        return {
            "service": self.service,
            "topic": batch.topic,
            "partition": batch.partition,
            "attempt": batch.attempt - 1,
        }

    async def _bury(
        self,
        batch: Batch[Any],
        errors: Mapping[int, Exception],
        lost: list[int],
        first: str,
    ) -> None:
        burials = []
        for index in lost:
            error, record = errors[index], batch.records[index]
            logger.debug("%s: %s", self.service, type(error).__name__, exc_info=error)
            tracing.failed(record, error)
            failure = Failure(self.service, error, batch.attempt, first)
            burials.append(self._policy.bury(record, failure))
        await asyncio.gather(*burials)  # one by one, a burst of them takes seconds

    async def _try(self, batch: Batch[Any]) -> Mapping[int, Exception]:
        what = f"{self.service}: {len(batch)} from {batch.topic}[{batch.partition}]"
        tries = 0

        async def attempt() -> None:
            nonlocal tries
            # Also the first time: until its turn came it may have waited for others.
            self._check_wanted()
            tries += 1
            if tries > 1:
                meter(self.service, batch.topic).retried()
            await self._policy.work(batch)

        try:
            await persist(what, attempt, (batch.topic, batch.partition))
        except ForgottenError:
            raise
        except PartlyFailedError as partly:
            if partly.errors.keys() <= set(range(len(batch))):
                return partly.errors
            return await self._try_each(batch, partly)
        except RetryableError as error:
            return dict.fromkeys(range(len(batch)), error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody has cancelled this turn: the rule waited for something that was.
            return await self._try_each(batch, RuntimeError("the work cancelled itself"))
        except Exception as error:  # whatever a rule raises must stop nobody else
            return await self._try_each(batch, error)
        return {}

    async def _try_each(self, batch: Batch[Any], error: Exception) -> Mapping[int, Exception]:
        """What failed as a whole by `error`, one by one: which record it is about."""
        if len(batch) == 1:
            return {0: error}
        errors = {}
        for index in range(len(batch)):
            for error in (await self._try(batch.part(index, index + 1))).values():
                errors[index] = error
        return errors


def _failed(errors: Iterable[Exception]) -> int:
    """How many of them say something about the service, and not about their record alone."""
    return sum(not isinstance(error, RecordError) for error in errors)


@dataclass(slots=True)
class _Running:
    """A turn that is under way."""

    tp: TP
    keys: set[bytes | None]
    has_room: bool


class _Turns:
    """Runs batches side by side, and those that share a key one after the other."""

    def __init__(self, policy: _Policy, overlap: int, set_aside: SetAside) -> None:
        self._policy = policy
        self._overlap = overlap
        self._set_aside = set_aside
        self._room = asyncio.Semaphore(overlap)
        self._running: dict[asyncio.Task[None], _Running] = {}
        # How much of each partition waits until somebody mends something.
        self._aside: Counter[TP] = Counter()

    async def start(self, event: EventT[Any]) -> None:
        """Begin with a batch when there is room; with an overlap of 1, also end with it."""
        if self._overlap == 1:
            await self._turn(event)
            return
        tp = event.message.tp
        if needs_room := tp not in self._aside:
            await self._room.acquire()
        keys = {record.key for record in cast(Batch[Any], event.value).records}
        earlier = [
            task
            for task, other in self._running.items()
            if other.tp == tp and not keys.isdisjoint(other.keys)
        ]
        task = asyncio.create_task(self._turn(event, earlier))
        self._running[task] = _Running(tp, keys, needs_room)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._give_room(self._running.pop(task))
        if not task.cancelled() and (error := task.exception()):
            # Not one of `work`'s: the policy takes those. Nothing was acked.
            line = "%s: a turn ended by %s"
            logger.error(line, self._policy.service, type(error).__name__, exc_info=error)

    def _give_room(self, turn: "_Running") -> None:
        if turn.has_room:
            turn.has_room = False
            self._room.release()

    @contextmanager
    def _step_aside(self, tp: TP) -> Iterator[None]:
        self._aside[tp] += 1
        for turn in self._running.values():
            if turn.tp == tp:  # also those that wait for it, for the sake of a key
                self._give_room(turn)
        try:
            with self._set_aside(tp):
                yield
        finally:
            self._aside[tp] -= 1
            if not self._aside[tp]:
                del self._aside[tp]

    def cancel(self) -> None:
        """Break off what is under way; it is not acked."""
        for task in self._running:
            task.cancel()

    async def _turn(
        self, event: EventT[Any], earlier: Collection[asyncio.Task[None]] = ()
    ) -> None:
        if earlier:
            await asyncio.wait(earlier)
        errand = Errand(event.message, self._step_aside)
        turn = _Turn(self._policy, errand)
        try:
            with errand.current():
                for part in self._parts(event.value):
                    await turn.settle(part)
                await self._settle_bugs(cast(Batch[Any], event.value), errand)
            await self._wait_for_burial(cast(Batch[Any], event.value))
        except ForgottenError:
            logger.info("%s: left to the new owner: %s", self._policy.service, event.message.tp)
            return
        cast(Batch[Any], event.value).done_by.add(self._policy.service)
        event.ack()

    async def _settle_bugs(self, batch: Batch[Any], errand: Errand) -> None:
        bugs = batch.bugs and batch.bugs.addressed_to(self._policy.service)
        if not bugs:
            return

        async def work(again: Batch[Any]) -> None:
            await self._policy.work(again.decoded())

        await _Turn(replace(self._policy, work=work), errand).settle(bugs)

    async def _wait_for_burial(self, batch: Batch[Any]) -> None:
        if batch.burial is None:
            return
        if turn := self._running.get(cast(asyncio.Task[None], asyncio.current_task())):
            self._give_room(turn)
        await asyncio.shield(batch.burial)  # others wait for it too

    def _parts(self, value: object) -> Iterator[Batch[Any]]:
        batch = cast(Batch[Any], value).addressed_to(self._policy.service)
        if not len(batch):
            return iter(())
        return batch.runs() if self._overlap > 1 else iter((batch,))
