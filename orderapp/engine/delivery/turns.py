"""Runs batches side by side, and those that share a key one after the other."""

import asyncio
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from faust.types import TP, EventT

from orderapp.engine.batches.batch import Batch
from orderapp.engine.delivery.errand import Errand, ForgottenError, SetAside
from orderapp.engine.delivery.settling import Policy, Settling
from orderapp.engine.observe.held_up import Places
from orderapp.engine.observe.logs import working_for

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """A turn that is under way."""

    tp: TP
    keys: frozenset[bytes | None]
    has_room: bool


class Turns:
    """Runs batches side by side, and those that share a key one after the other."""

    def __init__(self, policy: Policy, overlap: int, set_aside: SetAside) -> None:
        self._policy = policy
        self._overlap = overlap
        self._set_aside = set_aside
        self._room = asyncio.Semaphore(overlap)
        self._running: dict[asyncio.Task[None], _Running] = {}
        # The partitions that wait until somebody mends something.
        self._aside = Places[TP]()

    async def start(self, event: EventT[Any]) -> None:
        """Begin with a batch when there is room; with an overlap of 1, also end with it."""
        if self._overlap == 1:
            await self._turn(event)
            return
        tp = event.message.tp
        if needs_room := tp not in self._aside:
            await self._room.acquire()
        keys = cast(Batch[Any], event.value).keys
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
        with self._aside.waiting(tp), self._set_aside(tp):
            for turn in self._running.values():
                if turn.tp == tp:  # also those that wait for it, for the sake of a key
                    self._give_room(turn)
            yield

    def cancel(self) -> None:
        """Break off what is under way; it is not acked."""
        for task in self._running:
            task.cancel()

    async def _turn(
        self, event: EventT[Any], earlier: Collection[asyncio.Task[None]] = ()
    ) -> None:
        if earlier:
            await asyncio.wait(earlier)
        working_for.set(self._policy.service)
        errand = Errand(event.message, self._step_aside)
        turn = Settling(self._policy, errand)
        try:
            with errand.current():
                for part in self._parts(event.value):
                    await turn.settle(part)
                await self._settle_bugs(cast(Batch[Any], event.value), errand)
            await self._wait_for_rejection(cast(Batch[Any], event.value))
        except ForgottenError:
            logger.info(
                "%s: left to the partition's new owner: %s",
                self._policy.service,
                event.message.tp,
            )
            return
        cast(Batch[Any], event.value).done_by.add(self._policy.service)
        event.ack()

    async def _settle_bugs(self, batch: Batch[Any], errand: Errand) -> None:
        bugs = batch.bugs and batch.bugs.addressed_to(self._policy.service)
        if not bugs:
            return

        async def work(again: Batch[Any]) -> None:
            await self._policy.work(again.decoded())

        await Settling(replace(self._policy, work=work), errand).settle(bugs)

    async def _wait_for_rejection(self, batch: Batch[Any]) -> None:
        if batch.rejection is None:
            return
        if turn := self._running.get(cast(asyncio.Task[None], asyncio.current_task())):
            self._give_room(turn)
        await asyncio.shield(batch.rejection)  # others wait for it too

    def _parts(self, value: object) -> Iterator[Batch[Any]]:
        batch = cast(Batch[Any], value).addressed_to(self._policy.service)
        if not len(batch):
            return iter(())
        return batch.runs() if self._overlap > 1 else iter((batch,))
