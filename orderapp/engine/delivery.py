"""At-least-once, in one place: what happens to a batch until its offset may be committed.

An agent hands its stream and a `work` function to `deliver`. A batch is acked when its work
has returned, and only then. An exception in a Faust agent would ack the message and go on
with the next, so none gets out of here:

- an error of our own means (`TransientError`: store away, send not confirmed) is tried again
  with growing waits, for as long as it takes; nothing is acked meanwhile;
- an error of others that may pass (`RetryableError`: a gateway that does not answer) is tried
  again with growing waits, a limited number of times;
- any other error, and one that did not pass in time, is cut down to the one record that causes
  it, and that record goes to the dead-letter topic. Its neighbours go on.

Work may therefore be repeated, and has to bear it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from aiokafka import ConsumerRecord
from faust.types import EventT, StreamT
from faust.types.tuples import Message

from orderapp.engine import tracing
from orderapp.engine.batching import Batch
from orderapp.engine.dead_letters import Failure, moment
from orderapp.engine.errors import PartlyFailedError, RetryableError, TransientError
from orderapp.engine.logs import Few, about
from orderapp.engine.metrics import meter
from orderapp.engine.retry import held_up, persist, waits
from orderapp.engine.texts import one_line

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
) -> None:
    """Give every batch of `stream` to `work`, `overlap` batches at a time.

    With an overlap, batches that share a key still have their turns one after the other, and
    so have two records of one key in a batch."""
    few = Few(logger, logging.WARNING, f"times that {service} failed")
    turns = _Turns(_Policy(service, work, bury, max_attempts, few), overlap)
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


class _ForgottenError(Exception):
    """The partition has gone to another worker, which does the work anew."""


class _Turn:
    """What becomes of the records of one delivery."""

    def __init__(self, policy: _Policy, message: Message) -> None:
        self._policy = policy
        self._message = message
        self.service = policy.service

    async def settle(self, batch: Batch[Any]) -> None:
        """Return when each record is done or a dead letter."""
        began = time.perf_counter()
        with tracing.processing(self.service, batch):
            errors = await self._try(batch)
            buried = await self._try_again(batch, errors) if errors else 0
        meter(self.service, batch.topic).settled(batch.records, began, buried)

    async def _try_again(self, batch: Batch[Any], errors: Mapping[int, Exception]) -> int:
        """Settle what failed; how many records became dead letters."""
        first, pauses, buried, most = moment(), waits(), 0, self._policy.max_attempts
        while again := await self._give_up_or_keep(batch, errors, first, most):
            buried += len(errors) - len(again)
            # What failed for want of our own means has not used up an attempt.
            most += not any(isinstance(error, RetryableError) for error in errors.values())
            batch, wait = again, next(pauses)
            meter(self.service, batch.topic).retried()
            if self._policy.few.room():
                self._say(batch, next(iter(errors.values())), wait)
            with held_up.waiting((batch.topic, batch.partition)):
                await asyncio.sleep(wait)
                errors = await self._try(batch)
        return buried + len(errors)

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

    async def _give_up_or_keep(
        self, batch: Batch[Any], errors: Mapping[int, Exception], first: str, most: int
    ) -> Batch[Any] | None:
        # A record that the new owner processes must not become a dead letter here.
        self._check_wanted()
        kept, burials = [], []
        for index, error in sorted(errors.items()):
            passes = isinstance(error, RetryableError) and batch.attempt < most
            if passes or isinstance(error, TransientError):
                kept.append(index)
            else:
                logger.debug("%s: %s", self.service, type(error).__name__, exc_info=error)
                tracing.failed(batch.records[index], error)
                failure = Failure(self.service, error, batch.attempt, first)
                burials.append(self._policy.bury(batch.records[index], failure))
        await asyncio.gather(*burials)  # one by one, a burst of them takes seconds
        return batch.again(kept) if kept else None

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
        except _ForgottenError:
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

    def _check_wanted(self) -> None:
        # Nobody has acked it but `Consumer.drain`, when it gave up waiting for us. A late try
        # could put an old document over the one that the partition's new owner has written.
        if self._message.acked:
            raise _ForgottenError

    async def _try_each(self, batch: Batch[Any], error: Exception) -> Mapping[int, Exception]:
        """What failed as a whole by `error`, one by one: which record it is about."""
        if len(batch) == 1:
            return {0: error}
        errors = {}
        for index in range(len(batch)):
            for error in (await self._try(batch.part(index, index + 1))).values():
                errors[index] = error
        return errors


class _Turns:
    """Runs batches side by side, and those that share a key one after the other."""

    def __init__(self, policy: _Policy, overlap: int) -> None:
        self._policy = policy
        self._overlap = overlap
        self._room = asyncio.Semaphore(overlap)
        self._running: dict[asyncio.Task[None], tuple[int, set[bytes]]] = {}

    async def start(self, event: EventT[Any]) -> None:
        """Begin with a batch when there is room; with an overlap of 1, also end with it."""
        if self._overlap == 1:
            await self._turn(event)
            return
        await self._room.acquire()
        batch = cast(Batch[Any], event.value)
        keys = {record.key for record in batch.records}
        earlier = [
            task
            for task, (partition, others) in self._running.items()
            if partition == batch.partition and not keys.isdisjoint(others)
        ]
        task = asyncio.create_task(self._turn(event, earlier))
        self._running[task] = batch.partition, keys
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._room.release()
        if not task.cancelled() and (error := task.exception()):
            # Not one of `work`'s: the policy takes those. Nothing was acked.
            line = "%s: a turn ended by %s"
            logger.error(line, self._policy.service, type(error).__name__, exc_info=error)

    def cancel(self) -> None:
        """Break off what is under way; it is not acked."""
        for task in self._running:
            task.cancel()

    async def _turn(
        self, event: EventT[Any], earlier: list[asyncio.Task[None]] | None = None
    ) -> None:
        if earlier:
            await asyncio.wait(earlier)
        turn = _Turn(self._policy, event.message)
        try:
            for part in self._parts(event.value):
                await turn.settle(part)
        except _ForgottenError:
            logger.info("%s: left to the new owner: %s", self._policy.service, event.message.tp)
            return
        cast(Batch[Any], event.value).done_by.add(self._policy.service)
        event.ack()

    def _parts(self, value: object) -> Iterator[Batch[Any]]:
        batch = cast(Batch[Any], value).addressed_to(self._policy.service)
        if not len(batch):
            return iter(())
        return batch.runs() if self._overlap > 1 else iter((batch,))
