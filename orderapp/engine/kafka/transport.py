"""Faust's aiokafka transport, taught about batches: what is read, held, committed and sent.

Everything here that differs from faust-streaming 0.15.3 says why. It is all in this file.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any, ClassVar, NamedTuple, TypeVar

from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.transports import ConsumerT, ProducerT

from orderapp.engine.batches.batch import BatchScheduler, Decoder
from orderapp.engine.delivery.errand import current
from orderapp.engine.delivery.stopping import CLOSING_SECONDS
from orderapp.engine.kafka import beginnings
from orderapp.engine.kafka.beginnings import Known, Start, start_of
from orderapp.engine.kafka.cluster import connect, let_go
from orderapp.engine.kafka.consumer_thread import ConsumerThread
from orderapp.engine.kafka.host import Host
from orderapp.engine.kafka.ledger import Ledger
from orderapp.engine.kafka.lenient import read_any_header
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka.membership import place
from orderapp.engine.kafka.quiet import quieten_aiokafka
from orderapp.engine.kafka.rights import until_allowed
from orderapp.engine.kafka.transactions import OpenTransactions
from orderapp.engine.kafka.writing import Part, write
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.trace_headers import Headers

T = TypeVar("T")

logger = logging.getLogger(__name__)

quieten_aiokafka()
read_any_header()

#: What one worker holds of records that were read and are not done, in estimated bytes.
MAX_HELD_BYTES = 24 * 1024 * 1024
#: The same in deliveries (batches, or records of topics that are not batched). Small: what is
#: not read yet arrives in larger batches later, while what was read in small ones stays so
#: (1,024 of them waited 2.5 s at 1,000 orders/s). It has to stay below Faust's
#: `stream_buffer_maxsize`, so that no agent's queue is ever full.
MAX_HELD_MESSAGES = 64
#: Seconds that Kafka has to answer a look at partitions.
ANSWER_SECONDS = 4.5
# aiokafka's ConsumerRecord, its key, and the decoded value beside the raw one.
_BYTES_PER_RECORD = 1024


class Held:
    """A message that was read and is not done, and an estimate of the memory it holds.

    `timestamp` is that of its first record, in ms of Unix time."""

    __slots__ = ("message", "size", "timestamp")

    def __init__(self, message: ConsumerMessage, size: int, timestamp: int) -> None:
        self.message = message
        self.size = size
        self.timestamp = timestamp

    def is_done_by(self, service: str) -> bool:
        """Whether this service is through with it; others may not be."""
        return service in getattr(self.message.value, "done_by", ())


class Progress(NamedTuple):
    """How far the work on a partition is. An offset is that of the next record, or unknown."""

    tp: TP
    committed: int | None
    position: int | None
    end: int
    #: Of the last record that this worker read, in ms of Unix time.
    timestamp: int | None
    unfinished: list[Held]
    #: Where the consumer itself was at the last `outlook`: also behind what nobody can read.
    reached: int = 0
    #: Timestamp (ms of Unix time) of the oldest open transaction's first record.
    opened: int | None = None


class Consumer(driver.Consumer):
    """Reads lists of records, commits by watermark, and drains before it lets go."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        transport: Transport = self.transport  # type: ignore[assignment]
        self.scheduler = BatchScheduler(transport.decoders)
        self._ledgers: defaultdict[TP, Ledger[Held]] = defaultdict(Ledger)
        self.held_bytes = 0
        self.held_messages = 0
        #: `time.monotonic` of the last commit, or of the first read after all was committed.
        self.uncommitted_since = time.monotonic()
        self._is_committed = True
        # Of the commit under way, when it was refused: what was committed before.
        self._refused: dict[TP, int | None] = {}
        #: Up to where each partition was committed last or, where that was given up, done; with
        #: the topic's id, as one that was made anew has other records at the same offsets.
        self.done: dict[tuple[TP, str], int] = {}
        self._last_timestamps: dict[TP, int] = {}
        #: Those of the topics that are read, by name; they are committed with the offsets.
        self.topic_ids: dict[str, str] = {}
        self._begun: dict[TP, int] = {}
        self._ends: dict[TP, int] = {}
        self._reached: dict[TP, int] = {}
        self.open_transactions = OpenTransactions()
        # How much waits, of each partition, until somebody mends something.
        self._aside: Counter[TP] = Counter()
        self._draining = False
        self._reading = False
        self._changed = asyncio.Event()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _host(self) -> Host:
        host: Host = self.app  # type: ignore[assignment]
        return host

    # -- reading ------------------------------------------------------------------------

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if isinstance(record, list):
            oldest, last = record[0], record[-1]
            size = sum([r.serialized_value_size for r in record])
            size += _BYTES_PER_RECORD * len(record)
            message = self._batch_message(tp, last, record)
        else:
            oldest, last, size = record, record, _BYTES_PER_RECORD
            message = super()._to_message(tp, record)
        if self.app.topics.acks_enabled_for(tp.topic) and self._ledgers[tp].read(
            oldest.offset, last.offset, Held(message, size, oldest.timestamp)
        ):
            self.held_bytes += size
            self.held_messages += 1
            self._last_timestamps[tp] = last.timestamp
            if self._is_committed:
                self._is_committed, self.uncommitted_since = False, time.monotonic()
        return message

    def _batch_message(self, tp: TP, last: Any, records: list[Any]) -> ConsumerMessage:
        timestamp: Any = None if last.timestamp is None else last.timestamp / 1000.0
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            timestamp,
            last.timestamp_type,
            None,
            None,
            records,  # type: ignore[arg-type]  # what `BatchSchema` decodes
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _wait_next_records(self, timeout: float) -> Any:
        # Faust pauses partitions whose agents are behind, and when all are paused it sleeps
        # for a whole second, whatever happens meanwhile. This waits for room instead.
        self._reading = False
        while (self._draining or self.is_full) and not self.should_stop:
            self._changed.clear()
            try:
                # Acks of topics that are not batched come without a call of `ack` (Faust's
                # Cython iterator writes to `_acked` itself), hence the look now and then.
                async with asyncio.timeout(0.05):
                    await self._changed.wait()
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
            logger.info("Kafka's consumer has stopped, and so does the fetcher")

    @property
    def is_full(self) -> bool:
        """Whether reading waits until more of what was read is done."""
        size, count = self.held_bytes, self.held_messages
        for tp in self._aside:
            aside = self._ledgers[tp].pending
            size, count = size - sum(held.size for held in aside), count - len(aside)
        return size >= MAX_HELD_BYTES or count >= MAX_HELD_MESSAGES

    @contextmanager
    def set_aside(self, tp: TP) -> Iterator[None]:
        """See `errand.SetAside`."""
        self._aside[tp] += 1
        self._changed.set()
        try:
            yield
        finally:
            self._aside[tp] -= 1
            if not self._aside[tp]:
                del self._aside[tp]
            self._changed.set()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if active_partitions and self._aside:
            active_partitions = active_partitions - self._aside.keys()
            if not active_partitions:  # aiokafka would take that for all
                await asyncio.sleep(0.1)
                return {}
        return await super()._getmany(active_partitions, timeout)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to what is committed; to the beginning where nothing is, and where what comes
        next was deleted. That is told."""
        if self.app.conf.consumer_auto_offset_reset != "earliest":
            return await self._insist("start of reading", super().seek_to_committed)
        return await self._begin(
            await self._insist("start of reading", lambda: self._ask(self.assignment()))
        )

    async def _begin_late(self, tp: TP) -> None:
        """Begin where nothing is committed, unless it was done: aiokafka has looked for itself
        before it was told. Or the broker that was asked did not know the new topic yet."""
        if tp in self._begun or tp not in self.assignment():
            return
        try:
            begun = await self._begin(await self._ask({tp}))
        except KafkaError as error:
            logger.warning("Kafka does not say where partitions begin: %r", error)
            begun = {}
        if not begun:
            await asyncio.sleep(0.1)

    async def _begin(self, known: Mapping[TP, Known]) -> Mapping[TP, int]:
        self.topic_ids.update({tp.topic: told.topic_id for tp, told in known.items()})
        starts = {tp: start_of(told) for tp, told in known.items()}
        beginnings.tell(self.app.conf.id, self._keeping(known), starts)
        await self._go(starts, known)
        return {tp: start.offset for tp, start in starts.items()}

    async def _begin_after_gap(self, places: Mapping[TP, int]) -> None:
        """Go on where Kafka does not have the offsets any more that are read next, or not yet:
        that is so where the topic was made anew.

        The id that is committed stays the old one: by it `topic_watch` sees that the topic's
        other partitions have to begin anew too."""
        try:
            known = await self._ask({TP(*tp) for tp in places} & self.assignment())
        except KafkaError as error:
            logger.warning("Kafka does not say where partitions begin: %r", error)
            return  # asked again, as the next fetch fails too
        gone = {tp: at for tp, at in places.items() if tp in known and at < known[tp].first}
        starts = {
            tp: Start(told.first, gone.get(tp), is_new=True) for tp, told in known.items()
        }
        self._forget(known.keys() - gone.keys())
        await self._go(starts, {tp: told for tp, told in known.items() if not self.holds(tp)})

    async def _ask(self, tps: set[TP]) -> dict[TP, Known]:
        consumer = self._thread._ensure_consumer()
        known: dict[TP, Known] = await self._thread.call_thread(beginnings.ask, consumer, tps)
        return known

    def _keeping(self, tps: Mapping[TP, Known]) -> dict[TP, Known]:
        """Those of which offsets are committed."""
        enabled = self.app.topics.acks_enabled_for
        return {tp: known for tp, known in tps.items() if enabled(tp.topic)}

    async def _go(self, starts: Mapping[TP, Start], tps: Mapping[TP, Known]) -> None:
        """Tell what is lost, go where to begin, and commit it for `tps`."""
        lost = [
            Loss(
                self.app.conf.id,
                *tp,
                first=start.lost_from,
                next=start.offset,
                topic_id=self.topic_ids.get(tp.topic, ""),
                after=self._last_timestamps.get(tp),
            )
            for tp, start in starts.items()
            if start.lost_from is not None and self.app.topics.acks_enabled_for(tp.topic)
        ]
        if lost:
            await self._host.report_lost(lost)
        keep = self._keeping(tps)
        consumer = self._thread._ensure_consumer()
        try:
            await self._thread.call_thread(beginnings.go, consumer, starts, keep)
        except KafkaError as error:
            logger.debug("the beginnings are not committed: %r", error)
        begun = {tp: start.offset for tp, start in starts.items()}
        self._begun.update(begun)
        self._note_done(begun)
        self._committed_offset.update({tp: starts[tp].offset or None for tp in keep})

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

    # -- acking and committing ----------------------------------------------------------

    def ack(self, message: Any) -> bool:
        """Note that all agents are done with `message`."""
        acked = super().ack(message)
        self._settle()
        self._changed.set()
        return acked

    def _settle(self) -> None:
        """Move what Faust noted as acked to the ledgers."""
        for tp, acked in self._acked.items():
            if acked:
                ledger = self._ledgers[tp]
                for offset in acked:
                    held = ledger.done(offset)
                    if held is not None:
                        self._release(held)
                acked.clear()
                self._acked_index[tp].clear()

    def _release(self, held: Held) -> None:
        self.held_bytes -= held.size
        self.held_messages -= 1

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        self._settle()
        return (
            tp for tp in self._ledgers if topics is None or tp in topics or tp.topic in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self._ledgers[tp].committable

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done = await super()._commit(offsets)
        if done:
            self._note_done(offsets)
            self.uncommitted_since = time.monotonic()
            self._is_committed = not any(self._ledgers.values())
        else:
            self._refused = {tp: self._committed_offset[tp] for tp in offsets}
        return done

    def _note_done(self, offsets: Mapping[TP, int]) -> None:
        ids = self.topic_ids
        self.done.update({(tp, ids.get(tp.topic, "")): at for tp, at in offsets.items()})

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        self._refused = {}
        done = await super()._commit_offsets(offsets, start_new_transaction)
        # Faust takes what was refused for committed too: it would not be tried again, and look
        # like progress.
        self._committed_offset.update(self._refused)
        return done

    # -- seen from outside --------------------------------------------------------------

    def committed(self, tp: TP) -> int | None:
        """The offset that was committed last."""
        return self._committed_offset.get(tp)

    def holds(self, tp: TP) -> bool:
        """Whether records were read that are not done."""
        self._settle()
        return tp in self._ledgers and len(self._ledgers[tp]) > 0

    def progress(self) -> Iterator[Progress]:
        """How far the work is, for each assigned partition; asks nobody."""
        self._settle()
        for tp in sorted(self.assignment()):
            ledger = self._ledgers.get(tp)
            committed = self._committed_offset.get(tp)
            yield Progress(
                tp,
                self._begun.get(tp) if committed is None else committed,
                ledger.position if ledger is not None else None,
                self._end(tp),
                self._last_timestamps.get(tp),
                ledger.pending if ledger is not None else [],
                self._reached.get(tp, 0),
                self.open_transactions.began.get(tp),
            )

    def _end(self, tp: TP) -> int:
        try:
            fetched = self.highwater(tp) or 0
        except (AssertionError, AttributeError):
            # aiokafka's way to say that its thread has given up the partition just now.
            fetched = 0
        # That of the last fetch is old when reading waits; `outlook` asks anew.
        return max(fetched, self._ends.get(tp, 0))

    async def outlook(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Ask Kafka: the offset that is read next, and the end, of each of these partitions.

        Partitions that were given up meanwhile are left out. Raises what aiokafka raises, or
        TimeoutError; it must not be cancelled."""
        result: dict[TP, tuple[int, int]] = await self._thread.call_thread(
            self._outlook, list(tps)
        )
        self._ends = {tp: end for tp, (_, end) in result.items()}
        self._reached = {tp: position for tp, (position, _) in result.items()}
        return result

    async def renew_topics(self, *, rejoin: bool) -> None:
        """Ask Kafka anew for topics and partitions; the group divides them again where their
        numbers have changed, and always with `rejoin`."""
        await self._thread.call_thread(self._renew_topics, rejoin)

    async def _renew_topics(self, rejoin: bool) -> None:
        consumer = self._thread._ensure_consumer()
        async with asyncio.timeout(ANSWER_SECONDS):
            await consumer._client.force_metadata_update()
        if rejoin:
            consumer._coordinator.request_rejoin()

    async def _outlook(self, tps: list[TP]) -> dict[TP, tuple[int, int]]:
        consumer = self._thread._ensure_consumer()
        # aiokafka asks on and on for a partition that has just been deleted.
        async with asyncio.timeout(ANSWER_SECONDS):
            ends = await consumer.end_offsets(tps)
            await self.open_transactions.look(consumer, self._thread.bounds())
            return {
                tp: (await consumer.position(tp), end)
                for tp, end in ends.items()
                if tp in consumer.assignment()
            }

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
        left = self._left_over()
        self._forget()
        return left

    async def _commit_last(self) -> None:
        # A commit that is under way has not seen the last acks; `commit` would only join it.
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Wait for the commit under way; whether there was one.

        Faust takes the end of its own wait (a cancellation) for one of the commit, and goes on
        with another."""
        if self._commit_fut is None:
            return False
        await asyncio.wait({self._commit_fut})
        return True

    def _left_over(self) -> str | None:
        """What was read and is not committed, in one line."""
        self._settle()
        counts = {
            tp: ledger.uncommitted(self._committed_offset.get(tp))
            for tp, ledger in self._ledgers.items()
        }
        done = sum(done for done, _ in counts.values())
        unfinished = sum(unfinished for _, unfinished in counts.values())
        if not done + unfinished:
            return None
        where = _in_words(tp for tp, count in counts.items() if any(count))
        told = [f"{_records(done)} done but not committed"] if done else []
        told += [f"{_records(unfinished)} read but not finished"] if unfinished else []
        again = "it" if done + unfinished == 1 else "they"
        return f"{where}: {' and '.join(told)}; {again} will come again"

    def _forget(self, tps: Iterable[TP] | None = None) -> None:
        for tp in [*self._ledgers] if tps is None else tps:
            ledger = self._ledgers.pop(tp, Ledger())
            if ledger.committable is not None:
                self._note_done({tp: ledger.committable})
            for held in ledger.pending:
                # No late ack may count. Faust acks what it drops while it gives partitions
                # up; and when one comes back its offsets may be cut into other batches.
                held.message.acked = True
                self._release(held)
            self._reached.pop(tp, None)

    def _unfinished(self) -> int:
        self._settle()
        return sum(len(ledger) for ledger in self._ledgers.values())

    async def wait_empty(self) -> None:
        """Commit what is done. `drain` has waited already, and within a bound: Faust's own
        waiting has none, so that one stuck agent would hold up a whole group's rebalance."""
        await self.commit_and_end_transactions()

    async def commit_and_end_transactions(self) -> None:
        """Commit what is done, unless the worker stops: `drain` has, and within a bound."""
        if not self.app.should_stop:
            await super().commit_and_end_transactions()

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
        self._changed.set()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start reading again, unless the worker stops."""
        self._draining = self.app.should_stop
        self._begun.clear()
        self._changed.set()
        blocked.free(place(self.app.conf.id))
        logger.info("group %s: this worker reads %s", self.app.conf.id, _in_words(assigned))
        await super().on_partitions_assigned(assigned, generation_id)


class Producer(driver.Producer):
    """Sends whole batches: one future for each, not one for each message.

    What Faust asks of Kafka while it starts is asked until it is answered."""

    async def on_start(self) -> None:
        """Connect; a Kafka that has gone since it was found is waited for."""
        await super(driver.Producer, self).on_start()
        await self._host.insist("start of the producer", self._connect)

    async def _connect(self) -> None:
        producer = self._new_producer()
        await connect(producer)
        self._producer = producer

    async def create_topic(self, topic: str, *args: Any, **options: Any) -> None:
        """Create a topic of Faust's own, such as a table's; ours are there already."""
        if topic in self._host.prepared:
            return

        async def ask() -> None:
            try:
                await super(Producer, self).create_topic(topic, *args, **options)
            except (KafkaError, OSError, TimeoutError, RuntimeError) as error:
                raise self._host.translated(error, "CREATE", topic) from error

        await self._host.insist(f"creating the topic {topic}", ask)

    @property
    def _host(self) -> Host:
        host: Host = self.app  # type: ignore[assignment]
        return host

    async def on_stop(self) -> None:
        """Send what waits, and let go of Kafka."""
        producer = self._producer
        await let_go(super().on_stop(), CLOSING_SECONDS)
        if producer is not None:
            # What Kafka has not confirmed by now is given up; aiokafka would wait on.
            await let_go(producer._sender.close(), CLOSING_SECONDS)
            await let_go(producer.client.close(), CLOSING_SECONDS)

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[Headers] | None = None,
    ) -> None:
        """Send `(key, value)` messages and return when Kafka has confirmed all of them.

        `headers` are those of each message, None when no message has any.
        `partition` is that of the records they come from: the same key in the same partition
        number keeps a record and what follows from it side by side, whatever partitioner
        the record's sender used. Where the topic has no such partition the key decides.
        See `writing.write` for how long it tries; `SendFailedError` when it does not."""
        messages = list(messages)
        own = None if headers is None else [*map(list, headers)]  # aiokafka takes lists only
        part = Part(partition, messages, own)
        await write(self._ensure_producer(), topic, part, current.get())

    async def send_record(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """The same for one record, of which the key decides where it goes."""
        part = Part(None, [(key, value)], [headers])
        await write(self._ensure_producer(), topic, part, current.get())


def _records(count: int) -> str:
    return "1 record was" if count == 1 else f"{count} records were"


def _in_words(tps: Iterable[TP]) -> str:
    """`orders 0-2,5, payments 1`, or `nothing`; without Faust's topic of leaders."""
    told = []
    for topic, partitions in groupby(sorted(tps), lambda tp: tp.topic):
        if not topic.endswith("-__assignor-__leader"):
            told.append(f"{topic} {_ranges([tp.partition for tp in partitions])}")
    return ", ".join(told) or "nothing"


def _ranges(numbers: list[int]) -> str:
    # Numbers of one run have the same distance from their place in the list.
    runs = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in ends)


class Transport(driver.Transport):
    """Makes the consumer and producer above; `decoders` names the batched topics.

    `drain_seconds` bounds the end of an assignment; Kafka answers a fetch after `fetch_wait`
    seconds at most, when nothing has come."""

    Consumer: ClassVar[type[ConsumerT]] = Consumer
    Producer: ClassVar[type[ProducerT]] = Producer

    def __init__(
        self,
        *args: Any,
        decoders: Mapping[str, Decoder[Any]],
        drain_seconds: float,
        fetch_wait: float,
        **kw: Any,
    ) -> None:
        super().__init__(*args, **kw)
        self.decoders = decoders
        self.drain_seconds = drain_seconds
        self.fetch_wait = fetch_wait
