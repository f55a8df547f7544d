"""The last dead letters and what was done with them, for who asks again and again: only what is
new is read, and only while somebody asks."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from aiokafka import ConsumerRecord
from mode import Service

from orderapp.engine.dead_letters.read import DeadLetter, Resolvable
from orderapp.engine.dead_letters.resolutions import (
    Place,
    Resolution,
    read_resolution,
    resolutions_topic,
)
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import CLOSING, Cluster, let_go
from orderapp.engine.kafka.reading import TopicReader

logger = logging.getLogger(__name__)

#: Dead letters of a partition that are known, the newest, and characters of an error; they
#: bound the memory.
MOST, ERROR = 10_000, 200
#: Seconds for which a look is good, that one who asks waits for a new one, and that reading
#: may take (what was read by then counts the next time).
FRESH, SOON, PATIENCE = 3.0, 0.5, 5.0


@dataclass(slots=True, eq=False)
class Known(Resolvable):
    """What is kept of a dead letter."""

    place: Place
    #: The record's, in ms of Unix time.
    timestamp: int
    services: tuple[str, ...]
    #: What it is about, as the app has it; None: nobody can tell.
    about: int | None
    #: None: its headers are damaged.
    error_class: str | None
    #: Class and text, or what is damaged: as `DeadLetter.error`, but cut.
    error: str
    attempts: int | None
    last_failure: str
    resolution: Resolution | None = None

    def note(self, note: Resolution | None) -> None:
        """See what was done with it, as `DeadLetter` does."""
        is_ours = note is not None and note.is_about(self.timestamp)
        self.resolution = note if is_ours else None


def known(letter: DeadLetter, about: int | None) -> Known:
    """What is kept of a letter. Many share a few texts."""
    origin = letter.origin
    return Known(
        letter.place,
        letter.record.timestamp,
        tuple(map(sys.intern, letter.services)),
        about,
        sys.intern(origin.error_class[:ERROR]) if origin else None,
        sys.intern(letter.error[:ERROR]),
        origin.attempts if origin else None,
        letter.last_failure.isoformat(),
    )


class KnownDeadLetters(Service):
    """The last `MOST` dead letters of each partition of `topic`, read when somebody asks, at
    most once in `FRESH` seconds, for all who ask at that time. `about` says what a record is
    about."""

    def __init__(
        self,
        cluster: Callable[[], Cluster | None],
        topic: str,
        about: Callable[[ConsumerRecord], int | None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._about = about
        self._reader: TopicReader | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_at = 0.0
        self._is_current = False
        self._forget()
        super().__init__()

    async def look(self, patience: float | None = None) -> bool:
        """Read what is new, and wait for it so long (s; by default `SOON`). False while Kafka
        can't be asked, and until all was read once."""
        reading = self._reading
        if reading is None or (reading.done() and time.monotonic() - self._read_at >= FRESH):
            reading = self._reading = asyncio.create_task(self._read())
        # Not cancelled when it takes longer: the next one profits from it.
        await asyncio.wait({reading}, timeout=SOON if patience is None else patience)
        return self._is_current

    async def look_again(self) -> None:
        """The same, however fresh the last look is: something was just done."""
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=SOON)
        self._read_at = -FRESH
        await self.look()

    @property
    def letters(self) -> Iterable[Known]:
        """Those of the last look, one partition after the other."""
        return chain.from_iterable(of.values() for of in self._letters.values())

    @property
    def was_read(self) -> bool:
        """Whether all was read once: then it is known, if not to the last second."""
        return self._was_read

    def of(self, about: int) -> list[Known]:
        """Those that are about this, one after the other as they were read."""
        return self._by_about.get(about, [])

    def begin_anew(self) -> None:
        """Read all again at the next look: a topic was made anew, or has other partitions."""
        self._is_outdated = True

    def _forget(self) -> None:
        self._is_outdated = self._was_read = False
        #: By partition and offset.
        self._letters: dict[int, dict[int, Known]] = {}
        self._by_about: dict[int, list[Known]] = {}
        #: The offsets that are read next, of the letters and of the notes.
        self._next: dict[int, int] = {}
        self._next_notes: dict[int, int] = {}

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._read_on(await self._open())
            self._is_current = self._was_read = True
        except (FatalError, TransientError, TimeoutError) as error:
            logger.debug("the open dead letters are not known: %r", error)
            self._is_current = False
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
                self._take(record)
        async for partition, records in reader.read(notes, ends_of_notes, self._next_notes):
            self._next_notes[partition] = records[-1].offset + 1
            for record in records:
                self._note(record)

    def _leave_out(self, partition: int, first: int) -> None:
        """What is older than `first`: too old to be known, or deleted."""
        letters = self._letters.setdefault(partition, {})
        if not letters or next(iter(letters)) >= first:
            return
        for offset in [offset for offset in letters if offset < first]:
            left_out = letters.pop(offset)
            if left_out.about is not None:
                same = self._by_about[left_out.about]
                same.remove(left_out)
                if not same:
                    del self._by_about[left_out.about]

    def _take(self, record: ConsumerRecord) -> None:
        letter = known(DeadLetter.of(record), self._about(record))
        self._letters[record.partition][record.offset] = letter
        if letter.about is not None:
            self._by_about.setdefault(letter.about, []).append(letter)

    def _note(self, record: ConsumerRecord) -> None:
        read = read_resolution(record)
        if read is None:
            return
        place, note = read
        letter = self._letters.get(place.partition, {}).get(place.offset)
        if letter is not None:
            letter.note(note)

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
