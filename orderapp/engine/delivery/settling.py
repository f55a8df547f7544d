"""What becomes of the records of one delivery: tried again, given up, or done."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import ConsumerRecord

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.records import about
from orderapp.engine.delivery.errand import Errand, ForgottenError
from orderapp.engine.delivery.failure import Failure, moment
from orderapp.engine.delivery.limit import Limit
from orderapp.engine.delivery.retry import Retry, persist
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
SendDeadLetter = Callable[[ConsumerRecord, Failure], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a service does with its records, and how often."""

    service: str
    work: Work[Any]
    dead_letter: SendDeadLetter
    retry: Retry
    few: Few
    limit: Limit


class Settling:
    """What becomes of the records of one delivery."""

    def __init__(self, policy: Policy, errand: Errand) -> None:
        self._policy = policy
        self._errand = errand
        self._check_wanted = errand.check_wanted
        self.service = policy.service
        # When each attempt at what is being settled began, and when it had failed.
        self._failures: tuple[tuple[float, float], ...] = ()

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
            dead_letters = await self._try_again(batch, errors, began) if errors else 0
        meter(self.service, batch.topic).settled(batch.records, began, dead_letters)

    async def _try_again(
        self, batch: Batch[Any], errors: Mapping[int, Exception], began: float
    ) -> int:
        """Settle what failed, tried first at `began` (`time.perf_counter`); how many records
        became dead letters."""
        now = time.time()
        self._failures = ((now - (time.perf_counter() - began), now),)
        first, dead_letters, retry = moment(), 0, self._policy.retry
        pauses, most = retry.waits(), retry.attempts
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
            await self._give_up(batch, errors, lost, first)
            dead_letters += len(lost)
            if len(lost) == len(errors):
                break
            # What failed for want of our own infrastructure has not used up an attempt.
            most += not any(isinstance(error, RetryableError) for error in errors.values())
            rest, wait = sorted(errors.keys() - lost), next(pauses)
            if self._policy.few.room():
                self._say(batch, rest, errors[rest[0]], wait)
            with held_up.waiting((batch.topic, batch.partition)):
                await asyncio.sleep(wait)
                batch, errors = await self._again(batch, rest)
        return dead_letters

    async def _again(
        self, batch: Batch[Any], indices: list[int]
    ) -> tuple[Batch[Any], Mapping[int, Exception]]:
        """Try these records once more; they, and what still fails of them."""
        meter(self.service, batch.topic).retried()
        began = time.time()
        batch = batch.again(indices, self._failures, began)
        errors = await self._try(batch)
        self._failures = (*batch.failures, (began, time.time()))
        return batch, errors

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
            batch, errors = await self._again(batch, sorted(errors))
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

    def _say(
        self, batch: Batch[Any], indices: list[int], error: Exception, wait: float
    ) -> None:
        logger.warning(
            "%s: %d from %s[%d] failed at attempt %d: %s: %s (next attempt in %.1f s)",
            self.service,
            len(indices),
            batch.topic,
            batch.partition,
            batch.attempt,
            type(error).__name__,
            one_line(error),
            wait,
            extra=self._about(batch, indices),
        )

    def _about(self, batch: Batch[Any], indices: list[int]) -> dict[str, Any]:
        if len(indices) == 1:
            record = batch.records[indices[0]]
            return about(record, service=self.service, attempt=batch.attempt)
        return {
            "service": self.service,
            "topic": batch.topic,
            "partition": batch.partition,
            "attempt": batch.attempt,
        }

    async def _give_up(
        self,
        batch: Batch[Any],
        errors: Mapping[int, Exception],
        lost: list[int],
        first: str,
    ) -> None:
        sends = []
        for index in lost:
            error, record = errors[index], batch.records[index]
            logger.debug("%s: %s", self.service, type(error).__name__, exc_info=error)
            tracing.failed(record, error)
            failure = Failure(self.service, error, batch.attempt, first)
            sends.append(self._policy.dead_letter(record, failure))
        await asyncio.gather(*sends)  # one by one, a burst of them takes seconds

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
