"""Faust's consumer with a ledger: what was read, what is done, and what is committed."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from orderapp.engine.kafka.beginnings import Start
from orderapp.engine.kafka.held import Held, Holdings

# aiokafka's ConsumerRecord, its key, and the decoded value beside the raw one.
_BYTES_PER_RECORD = 1024


class LedgerConsumer(driver.Consumer):
    """Takes records or lists of records for one message, and commits by watermark."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held = Holdings()
        #: The ids of the topics that are read, by name; they are committed with the offsets.
        self.topic_ids: dict[str, str] = {}
        #: Of the last record that was read of each partition, in ms of Unix time.
        self.last_timestamps: dict[TP, int] = {}
        #: `time.monotonic` of the last commit, or of the first read after all was committed.
        self.uncommitted_since = time.monotonic()
        self._is_committed = True
        # Of the commit under way, when it was refused: what was committed before.
        self._refused: dict[TP, int | None] = {}
        #: Up to where each partition was committed last or, where that was given up, done; with
        #: the topic's id, as one that was made anew has other records at the same offsets.
        self.done: dict[tuple[TP, str], int] = {}

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if isinstance(record, list):
            oldest, last = record[0], record[-1]
            size = sum([r.serialized_value_size for r in record])
            size += _BYTES_PER_RECORD * len(record)
            message = self._batch_message(tp, last, record)
        else:
            oldest, last, size = record, record, _BYTES_PER_RECORD
            message = super()._to_message(tp, record)
        if self.app.topics.acks_enabled_for(tp.topic) and self.held.read(
            tp, oldest.offset, last.offset, Held(message, size, oldest.timestamp)
        ):
            self.last_timestamps[tp] = last.timestamp
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

    def ack(self, message: Any) -> bool:
        """Note that all agents are done with `message`."""
        acked = super().ack(message)
        self._settle()
        self.held.changed.set()
        return acked

    def _settle(self) -> None:
        """Take over what Faust noted as acked."""
        for tp, acked in self._acked.items():
            if acked:
                self.held.done(tp, acked)
                acked.clear()
                self._acked_index[tp].clear()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        self._settle()
        return (
            tp
            for tp in self.held.ledgers
            if topics is None or tp in topics or tp.topic in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self.held.ledgers[tp].committable

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done = await super()._commit(offsets)
        if done:
            self._note_done(offsets)
            self.uncommitted_since = time.monotonic()
            self._is_committed = not any(self.held.ledgers.values())
        else:
            self._refused = {tp: self._committed_offset[tp] for tp in offsets}
        return done

    def _note_done(self, offsets: Mapping[TP, int]) -> None:
        for tp, at in offsets.items():
            key = tp, self.topic_ids.get(tp.topic, "")
            # Never less: behind a gap a new topic begins while the old one's id is kept.
            self.done[key] = max(at, self.done.get(key, 0))

    def _note_begun(
        self, starts: Mapping[TP, Start], committed: Iterable[TP]
    ) -> Mapping[TP, int]:
        begun = {tp: start.offset for tp, start in starts.items()}
        self._note_done(begun)
        enabled = self.app.topics.acks_enabled_for
        offsets = {tp: begun[tp] or None for tp in committed if enabled(tp.topic)}
        self._committed_offset.update(offsets)
        return begun

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        self._refused = {}
        done = await super()._commit_offsets(offsets, start_new_transaction)
        # Faust takes what was refused for committed too: it would not be tried again, and look
        # like progress.
        self._committed_offset.update(self._refused)
        return done

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

    async def wait_empty(self) -> None:
        """Commit what is done. `drain` has waited already, and within a bound: Faust's own
        waiting has none, so that one stuck agent would hold up a whole group's rebalance."""
        await self.commit_and_end_transactions()

    async def commit_and_end_transactions(self) -> None:
        """Commit what is done, unless the worker stops: `drain` has, and within a bound."""
        if not self.app.should_stop:
            await super().commit_and_end_transactions()

    def _unfinished(self) -> int:
        self._settle()
        return self.held.unfinished()

    def committed(self, tp: TP) -> int | None:
        """The offset that was committed last."""
        return self._committed_offset.get(tp)

    def holds(self, tp: TP) -> bool:
        """Whether records were read that are not done."""
        self._settle()
        return tp in self.held.ledgers and len(self.held.ledgers[tp]) > 0
