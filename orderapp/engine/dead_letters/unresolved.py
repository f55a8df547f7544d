"""How many dead letters are open, for who asks again and again: only what is new is read."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import ConsumerRecord
from mode import Service

from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.dead_letters.resolutions import (
    Resolution,
    read_resolution,
    resolutions_topic,
)
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import CLOSING, Cluster, let_go
from orderapp.engine.kafka.reading import TopicReader

logger = logging.getLogger(__name__)

#: Dead letters of a partition that are counted, the newest; they bound the memory.
MOST = 10_000
#: Seconds for which a count is good, that one who asks waits for a new one, and that reading
#: may take (what was read by then counts the next time).
FRESH, SOON, PATIENCE = 3.0, 0.5, 5.0


@dataclass(slots=True)
class _Known:
    """What counts of a dead letter."""

    timestamp: int
    services: tuple[str, ...]
    is_open: bool = True

    def note(self, note: Resolution | None) -> None:
        """See what was done with it, as `DeadLetter` does."""
        if note is None or not note.is_about(self.timestamp):
            self.is_open = True
        else:
            self.is_open = any(note.action_for(name) is None for name in self.services)


class OpenDeadLetters(Service):
    """Counts the open dead letters of `topic` when it is asked, at most once in `FRESH`
    seconds, for all who ask at that time."""

    def __init__(self, cluster: Callable[[], Cluster | None], topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._reader: TopicReader | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_at = 0.0
        self._count: int | None = None
        self._forget()
        super().__init__()

    async def count(self) -> int | None:
        """The number, of the last `MOST` of each partition. None while Kafka can't be asked,
        and until all was read once."""
        reading = self._reading
        if reading is None or (reading.done() and time.monotonic() - self._read_at >= FRESH):
            reading = self._reading = asyncio.create_task(self._read())
        # Not cancelled when it takes longer: the next one profits from it.
        await asyncio.wait({reading}, timeout=SOON)
        return self._count

    def begin_anew(self) -> None:
        """Read all again at the next count: a topic was made anew, or has other partitions."""
        self._is_outdated = True

    def _forget(self) -> None:
        self._is_outdated = False
        #: By partition and offset.
        self._letters: dict[int, dict[int, _Known]] = {}
        #: The offsets that are read next, of the letters and of the notes.
        self._next: dict[int, int] = {}
        self._next_notes: dict[int, int] = {}

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._read_on(await self._open())
            found = sum(known.is_open for of in self._letters.values() for known in of.values())
            self._count = found
        except (FatalError, TransientError, TimeoutError) as error:
            logger.debug("the open dead letters are not known: %r", error)
            self._count = None
            await self._close()
        finally:
            self._read_at = time.monotonic()

    async def _open(self) -> TopicReader:
        if self._is_outdated:
            self._forget()
            await self._close()
        if self._reader is None:
            cluster = self._cluster()
            if cluster is None:
                raise TransientError("Kafka is not reachable yet")
            self._reader = await TopicReader(cluster).__aenter__()
        return self._reader

    async def _read_on(self, reader: TopicReader) -> None:
        notes = resolutions_topic(self._topic)
        # Before those of the letters: every note then has its letter.
        ends_of_notes = await reader.ends(notes)
        begins, ends = await reader.begins(self._topic), await reader.ends(self._topic)
        if any(end < self._next.get(partition, 0) for partition, end in ends.items()):
            self._forget()  # the topic was made anew
        firsts = {p: max(begins[p], end - MOST) for p, end in ends.items()}
        for partition, first in firsts.items():
            self._leave_out(partition, first)
        async for partition, records in reader.read(
            self._topic,
            ends,
            {p: max(first, self._next.get(p, 0)) for p, first in firsts.items()},
        ):
            self._next[partition] = records[-1].offset + 1
            for record in records:
                known = _Known(record.timestamp, DeadLetter.of(record).services)
                self._letters[partition][record.offset] = known
        async for partition, records in reader.read(notes, ends_of_notes, self._next_notes):
            self._next_notes[partition] = records[-1].offset + 1
            for record in records:
                self._note(record)

    def _leave_out(self, partition: int, first: int) -> None:
        """What is older than `first`: too old to count, or deleted."""
        letters = self._letters.setdefault(partition, {})
        if letters and next(iter(letters)) < first:
            kept = {offset: known for offset, known in letters.items() if offset >= first}
            self._letters[partition] = kept

    def _note(self, record: ConsumerRecord) -> None:
        read = read_resolution(record)
        if read is None:
            return
        place, note = read
        known = self._letters.get(place.partition, {}).get(place.offset)
        if known is not None:
            known.note(note)

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await let_go(reader.__aexit__())

    async def on_stop(self) -> None:
        """Let go of Kafka."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading}, timeout=CLOSING)
        await self._close()
