"""Faust's consumer, taught about batches: how it reads, where it begins, and how it lets go.

Everything here that differs from faust-streaming 0.15.3 says why.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.types import TP

from orderapp.engine.batches.scheduler import BatchScheduler
from orderapp.engine.kafka.beginnings import Known, Start
from orderapp.engine.kafka.cluster import let_go
from orderapp.engine.kafka.commits import LedgerConsumer
from orderapp.engine.kafka.consumer_thread import ConsumerThread
from orderapp.engine.kafka.host import Host
from orderapp.engine.kafka.membership import place
from orderapp.engine.kafka.outlook import Outlook, Progress
from orderapp.engine.kafka.partitions import in_words
from orderapp.engine.kafka.rights import until_allowed
from orderapp.engine.kafka.starts import Starts
from orderapp.engine.observe.blocked import blocked

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Consumer(LedgerConsumer):
    """Reads lists of records, and drains before it lets go."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scheduler = BatchScheduler(self.transport.decoders)  # type: ignore[attr-defined]
        self.starts = Starts(
            self._host,
            self.app.conf.id,
            self._in_thread,
            self.app.topics.acks_enabled_for,
            self.topic_ids,
            self.last_timestamps,
        )
        #: How many fetches have brought records, and how many of them were handed out.
        self.fetches = self._handed_out = 0
        self.outlook = Outlook(self._in_thread, lambda: self.fetches)
        self._draining = False
        self._reading = False

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _host(self) -> Host:
        host: Host = self.app  # type: ignore[assignment]
        return host

    async def _in_thread(self, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return await self._thread.call_thread(call, self._thread._ensure_consumer(), *args)

    # -- reading ------------------------------------------------------------------------

    async def _wait_next_records(self, timeout: float) -> Any:
        # Faust pauses partitions whose agents are behind, and when all are paused it sleeps
        # for a whole second, whatever happens meanwhile. This waits for room instead.
        self._reading = False
        self._handed_out = self.fetches
        while (self._draining or self.held.is_full) and not self.should_stop:
            self.held.changed.clear()
            try:
                # Acks of topics that are not batched come without a call of `ack` (Faust's
                # Cython iterator writes to `_acked` itself), hence the look now and then.
                async with asyncio.timeout(0.05):
                    await self.held.changed.wait()
            except TimeoutError:
                self._settle()
        try:
            records, active = await super()._wait_next_records(timeout)
        except OffsetOutOfRangeError as error:
            await self._begin_after_gap(error.args[0])
            return None, None
        except NoOffsetForPartitionError as error:
            await self._begin_late(TP(*error.args[0]))
            return None, None
        if self._draining:
            # They are read again: who drains gives the partitions up or ends.
            return None, None
        self._reading = True
        return records, active

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand out what arrives, until the fetcher stops.

        Faust wraps every delivery in two tasks, to break off one that waits for a full queue.
        No queue is ever full here (`MAX_HELD_MESSAGES`), and without the tasks a record is
        stored in half the time at 1,000 small deliveries a second."""
        app = self.transport.app
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for tp, message in self.getmany(timeout=1.0):
                    await self.callback(message)
                    self._read_offset[tp] = message.offset
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            # Faust takes one during a rebalance for a reason to restart the fetcher, and
            # crashes when there is nobody to do so: a worker that is stopped just then.
            if not app.should_stop:
                raise
        except self.consumer_stopped_errors:
            if not app.should_stop:
                raise
            logger.info("Kafka's consumer has stopped: the fetcher stops too")

    def set_aside(self, tp: TP) -> AbstractContextManager[None]:
        """See `errand.SetAside`."""
        return self.held.set_aside(tp)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if active_partitions and self.held.aside:
            active_partitions = active_partitions.difference(self.held.aside)
            if not active_partitions:  # aiokafka would take that for all
                await asyncio.sleep(0.1)
                return {}
        return await super()._getmany(active_partitions, timeout)

    # -- where reading begins -----------------------------------------------------------

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to what is committed; see `Starts.begin`."""
        if self.app.conf.consumer_auto_offset_reset != "earliest":
            return await self._insist("start of reading", super().seek_to_committed)
        return await self._begin(
            await self._insist("start of reading", lambda: self.starts.ask(self.assignment()))
        )

    async def _begin(self, known: Mapping[TP, Known]) -> Mapping[TP, int]:
        return self._note_begun(await self.starts.begin(known), known)

    async def _begin_late(self, tp: TP) -> None:
        """Begin where nothing is committed, unless it was done: aiokafka has looked for itself
        before it was told. Or the broker that was asked did not know the new topic yet."""
        if tp in self.starts.begun or tp not in self.assignment():
            return
        if not await self._begin(await self.starts.ask_once({tp})):
            await asyncio.sleep(0.1)

    async def _begin_after_gap(self, places: Mapping[TP, int]) -> None:
        """Go on where Kafka does not have the offsets any more that are read next, or not yet:
        that is so where the topic was made anew.

        The id that is committed stays the old one: by it `topic_watch` sees that the topic's
        other partitions have to begin anew too."""
        known = await self.starts.ask_once({TP(*tp) for tp in places} & self.assignment())
        if not known:
            return
        gone = {tp: at for tp, at in places.items() if tp in known and at < known[tp].first}
        starts = {
            tp: Start(told.first, gone.get(tp), is_new=True) for tp, told in known.items()
        }
        self._forget(known.keys() - gone.keys())
        commit = [tp for tp in known if not self.holds(tp)]
        await self.starts.go(starts, commit)
        self._note_begun(starts, commit)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of partitions, of which Faust's tables ask."""
        ask = super().highwaters
        return await self._insist("ends of tables", lambda: ask(*partitions), partitions)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """The beginnings of partitions, of which Faust's tables ask."""
        ask = super().earliest_offsets
        return await self._insist("beginnings of tables", lambda: ask(*partitions), partitions)

    async def _insist(
        self, what: str, ask: Callable[[], Awaitable[Mapping[TP, T]]], tps: Iterable[TP] = ()
    ) -> Mapping[TP, T]:
        """Kafka's answer, or an empty one when the worker is stopped before it comes."""
        answer: dict[TP, T] = {}

        async def attempt() -> None:
            try:
                answer.update(await ask())
            except (KafkaError, OSError, TimeoutError) as error:
                topics = {tp.topic for tp in tps or self.assignment()}
                raise self._host.translated(error, "DESCRIBE", *topics) from error

        await self.wait_for_stopped(until_allowed(what, attempt))
        return answer

    # -- seen from outside --------------------------------------------------------------

    def progress(self) -> Iterator[Progress]:
        """How far the work is, for each assigned partition; asks nobody."""
        self._settle()
        on_their_way = self._handed_out < self.outlook.reached_by
        for tp in sorted(self.assignment()):
            ledger = self.held.ledgers.get(tp)
            committed = self._committed_offset.get(tp)
            yield Progress(
                tp,
                self.starts.begun.get(tp) if committed is None else committed,
                ledger.position if ledger is not None else None,
                self._end(tp),
                self.last_timestamps.get(tp),
                ledger.pending if ledger is not None else [],
                0 if on_their_way else self.outlook.reached.get(tp, 0),
                self.outlook.open_transactions.began.get(tp),
            )

    def _end(self, tp: TP) -> int | None:
        try:
            fetched = self.highwater(tp)
        except (AssertionError, AttributeError):
            # aiokafka's way to say that its thread has given up the partition just now.
            fetched = None
        # That of the last fetch is old when reading waits; `outlook` asks anew.
        ends = [end for end in (fetched, self.outlook.ends.get(tp)) if end is not None]
        return max(ends, default=None)

    @property
    def thread_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the consumer's thread."""
        loop: asyncio.AbstractEventLoop = self._thread.thread_loop
        return loop

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call `call` in the loop of the consumer's thread."""
        self.thread_loop.call_soon_threadsafe(call)

    async def verify_all_partitions_active(self) -> None:
        """Nothing: `watch` looks for partitions that get stuck.

        Faust's own look, every 7 s, reads aiokafka's state from another thread, and takes it
        for certain that each partition's position is known. Just after a rebalance it is not,
        and the worker that was to take over crashed."""

    # -- letting go ---------------------------------------------------------------------

    async def drain(self, seconds: float, commit_seconds: float | None = None) -> str | None:
        """Stop reading, let the agents finish what was read (at most `seconds`), commit (at
        most `commit_seconds`, if given), and forget the rest: it comes again, here or at
        another worker. Returns what does, in one line; None when all is committed.

        Faust clears the agents' queues instead, so that a record that one agent had finished
        and another had not would be given to both again."""
        self._draining = True
        deadline = time.monotonic() + seconds
        while (  # noqa: ASYNC110 - some acks come without a call
            self._reading or self._unfinished()
        ) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        if commit_seconds is None:
            await self._commit_last()
        else:
            await let_go(self._commit_last(), commit_seconds)
        self._settle()
        left = self.held.left_over(self._committed_offset)
        self._forget()
        return left

    def _forget(self, tps: Iterable[TP] | None = None) -> None:
        """Drop what was read of these partitions, by default of all."""
        forgotten = [*self.held.ledgers] if tps is None else [*tps]
        self._note_done(self.held.forget(forgotten))
        for tp in forgotten:
            self.outlook.reached.pop(tp, None)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit before the partitions go to another worker.

        Faust drops its notes of what was acked first and commits then, which hands finished
        but uncommitted records to the next owner. Kafka's rebalance gives up all partitions
        at once."""
        if not self.app.should_stop:  # else `BatchApp.on_stop` has drained
            seconds: float = self.transport.drain_seconds  # type: ignore[attr-defined]
            if left := await self.drain(seconds):
                logger.warning("%s", left)
        await super().on_partitions_revoked(revoked)
        self.held.changed.set()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start reading again, unless the worker stops."""
        self._draining = self.app.should_stop
        self.starts.begun.clear()
        self.held.changed.set()
        blocked.free(place(self.app.conf.id))
        logger.info("group %s: this worker reads %s", self.app.conf.id, in_words(assigned))
        await super().on_partitions_assigned(assigned, generation_id)
