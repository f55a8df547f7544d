"""At-least-once, in one place: what happens to a batch until its offset may be committed.

An agent hands its stream and a `work` function to `deliver`. A batch is acked when its work
has returned, and only then. An exception in a Faust agent would ack the message and go on
with the next, so none gets out of here:

- an error that passes (`TransientError`: store away, send not confirmed) is tried again with
  growing waits, for as long as it takes; nothing is acked meanwhile;
- any other error is cut down to the one record that causes it, and that record goes to the
  dead-letter topic. Its neighbours go on.

Work may therefore be repeated, and has to bear it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar, cast

from aiokafka import ConsumerRecord
from faust.types import EventT, StreamT

from orderapp.engine.batching import Batch
from orderapp.engine.errors import TransientError

logger = logging.getLogger(__name__)

V = TypeVar("V")
Work = Callable[[Batch[V]], Awaitable[None]]
#: Sends a record to the dead-letter topic; returns when Kafka has confirmed it.
Bury = Callable[[ConsumerRecord, Exception, str], Awaitable[None]]

#: Seconds; each wait is doubled up to the last, and varied by a quarter so that workers
#: that failed together do not come back together.
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0


def waits() -> Iterator[float]:
    """Seconds to wait before each new try, without end."""
    wait = FIRST_WAIT
    while True:
        yield wait * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        wait = min(wait * 2, LONGEST_WAIT)


async def persist(what: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """Call `attempt` until it raises nothing that passes."""
    for tries, wait in enumerate(waits(), start=1):
        try:
            await attempt()
        except TransientError as error:
            logger.warning("%s: %s (try %d, next in %.1f s)", what, error, tries, wait)
            await asyncio.sleep(wait)
        else:
            if tries > 1:
                logger.info("%s: done at try %d", what, tries)
            return


async def deliver(
    service: str, stream: StreamT[Any], work: Work[V], bury: Bury, *, overlap: int = 1
) -> None:
    """Give every batch of `stream` to `work`, `overlap` batches at a time.

    With an overlap, batches that share a key still have their turns one after the other, and
    so have two records of one key in a batch."""
    turns = _Turns(service, work, bury, overlap)
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


class _Turns:
    def __init__(self, service: str, work: Work[Any], bury: Bury, overlap: int) -> None:
        self._service = service
        self._work = work
        self._bury = bury
        self._overlap = overlap
        self._room = asyncio.Semaphore(overlap)
        self._running: dict[asyncio.Task[None], tuple[int, set[bytes]]] = {}

    async def start(self, event: EventT[Any]) -> None:
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
            # Not one of `work`'s: those end in `_attempt`. Nothing was acked.
            logger.error("%s: a turn ended by %r", self._service, error, exc_info=error)

    def cancel(self) -> None:
        for task in self._running:
            task.cancel()

    async def _turn(
        self, event: EventT[Any], earlier: list[asyncio.Task[None]] | None = None
    ) -> None:
        if earlier:
            await asyncio.wait(earlier)
        batch = cast(Batch[Any], event.value)
        if len(batch):
            parts = batch.runs() if self._overlap > 1 else (batch,)
            for part in parts:
                await self._attempt(part)
        event.ack()

    async def _attempt(self, batch: Batch[Any]) -> None:
        what = f"{self._service}: {len(batch)} from {batch.topic}[{batch.partition}]"
        try:
            await persist(what, lambda: self._work(batch))
        except Exception as error:  # whatever a rule raises must stop nobody else
            if len(batch) > 1:
                for index in range(len(batch)):
                    await self._attempt(batch.part(index, index + 1))
            else:
                logger.debug("%s: %r", what, error, exc_info=error)
                await self._bury(batch.records[0], error, self._service)
