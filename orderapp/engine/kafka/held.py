"""What one worker has read and not done: how much it is, and which offsets may be committed."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from faust.types import TP, ConsumerMessage

from orderapp.engine.kafka.ledger import Ledger
from orderapp.engine.kafka.partitions import in_words
from orderapp.engine.observe.held_up import Places

#: What one worker holds of records that were read and are not done, in estimated bytes.
MAX_HELD_BYTES = 24 * 1024 * 1024
#: The same in deliveries (batches, or records of topics that are not batched). Small: what is
#: not read yet arrives in larger batches later, while what was read in small ones stays so
#: (1,024 of them waited 2.5 s at 1,000 records/s). It has to stay below Faust's
#: `stream_buffer_maxsize`, so that no agent's queue is ever full.
MAX_HELD_MESSAGES = 64


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


class Holdings:
    """A ledger for each partition, and the sums of what they hold."""

    def __init__(self) -> None:
        self.ledgers: defaultdict[TP, Ledger[Held]] = defaultdict(Ledger)
        self.bytes = 0
        self.messages = 0
        #: Set when there may be room again.
        self.changed = asyncio.Event()
        #: The partitions that wait until somebody mends something, and are not read meanwhile.
        self.aside = Places[TP]()

    def read(self, tp: TP, first: int, last: int, held: Held) -> bool:
        """Note a delivery of the offsets `first` to `last`; False when it was read before."""
        if not self.ledgers[tp].read(first, last, held):
            return False
        self.bytes += held.size
        self.messages += 1
        return True

    def done(self, tp: TP, offsets: Iterable[int]) -> None:
        """Note that the deliveries that end with these offsets are done."""
        ledger = self.ledgers[tp]
        for offset in offsets:
            held = ledger.done(offset)
            if held is not None:
                self._release(held)

    def _release(self, held: Held) -> None:
        self.bytes -= held.size
        self.messages -= 1

    @property
    def is_full(self) -> bool:
        """Whether reading waits until more of what was read is done."""
        size, count = self.bytes, self.messages
        for tp in self.aside:
            aside = self.ledgers[tp].pending
            size, count = size - sum(held.size for held in aside), count - len(aside)
        return size >= MAX_HELD_BYTES or count >= MAX_HELD_MESSAGES

    @contextmanager
    def set_aside(self, tp: TP) -> Iterator[None]:
        """See `errand.SetAside`."""
        try:
            with self.aside.waiting(tp):
                self.changed.set()
                yield
        finally:
            self.changed.set()

    def unfinished(self) -> int:
        """How many deliveries are not done."""
        return sum(map(len, self.ledgers.values()))

    def left_over(self, committed: Mapping[TP, int | None]) -> str | None:
        """What was read and is not committed, in one line."""
        counts = {
            tp: ledger.uncommitted(committed.get(tp)) for tp, ledger in self.ledgers.items()
        }
        done = sum(done for done, _ in counts.values())
        unfinished = sum(unfinished for _, unfinished in counts.values())
        if not done + unfinished:
            return None
        where = in_words(tp for tp, count in counts.items() if any(count))
        told = [f"{_records(done)} done but not committed"] if done else []
        told += [f"{_records(unfinished)} read but not finished"] if unfinished else []
        again = "it" if done + unfinished == 1 else "they"
        return f"{where}: {' and '.join(told)}; {again} will come again"

    def forget(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Forget what was read of these partitions; returns up to where each was done."""
        done = {}
        for tp in tps:
            ledger = self.ledgers.pop(tp, Ledger())
            if ledger.committable is not None:
                done[tp] = ledger.committable
            for held in ledger.pending:
                # No late ack may count. Faust acks what it drops while it gives partitions
                # up; and when one comes back its offsets may be cut into other batches.
                held.message.acked = True
                self._release(held)
        return done


def _records(count: int) -> str:
    return "1 record was" if count == 1 else f"{count} records were"
