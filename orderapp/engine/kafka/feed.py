"""What arrives in topics, as it arrives, for any number of listeners.

One consumer without a group reads from the end, for as long as somebody listens. What came in a
quarter of a second is one message: it is rendered once, and its bytes are shared by all.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from mode import Service

from orderapp.engine.delivery.retry import waits
from orderapp.engine.kafka.cluster import CLOSING, Cluster, let_go

logger = logging.getLogger(__name__)

#: Seconds between messages, and until the consumer of a feed without listeners stops.
TICK, LINGER = 0.25, 15.0
#: Seconds in which Kafka has to answer a new consumer.
STARTING = 10.0
#: Messages that are kept for listeners who come back: two minutes, if all are small.
KEPT, KEPT_BYTES = 480, 8 * 1024 * 1024
#: Records that may be behind, or come with one message; of more the older ones are skipped.
MOST = 20_000
#: Listeners that are served at a time, and the seconds over which all are spread: hundreds of
#: writes in a row would hold up whatever else the event loop has to do.
AT_ONCE, SPREAD = 5, 0.2


class Place(NamedTuple):
    """A place in the feed: `number` counts the messages of its epoch, from 1."""

    epoch: str
    number: int


class Message(NamedTuple):
    """A part of the feed."""

    place: Place
    data: bytes


class Listener(Protocol):
    """Takes messages; must neither wait nor raise."""

    def take(self, message: Message) -> None:
        """The next message."""

    def missed(self, place: Place, reason: str) -> None:
        """What came before `place` was missed, in part at least."""


#: Makes the bytes of a message for a place, of records and the number of those left out.
Render = Callable[[Place, Sequence[ConsumerRecord], int], bytes]


class Feed(Service):
    """Reads `topics` while somebody listens."""

    def __init__(
        self, cluster: Callable[[], Cluster | None], topics: Collection[str], render: Render
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._render = render
        self._listeners: set[Listener] = set()
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._wanted_at = 0.0
        self._published_at = 0.0
        self._is_outdated = False
        self._begin()
        super().__init__()

    def _begin(self) -> None:
        """Whatever was read before is not continued."""
        #: The last message's.
        self.place = Place(secrets.token_hex(4), 0)
        self._kept: deque[Message] = deque()
        self._kept_bytes = 0

    async def wake(self, seconds: float) -> None:
        """Return when what is sent from now on will be read, after so many seconds at most."""
        self._wanted_at = asyncio.get_running_loop().time()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()

    def add(self, listener: Listener) -> None:
        """Give it every message from now on."""
        self._listeners.add(listener)

    def discard(self, listener: Listener) -> None:
        """Give it none any more."""
        self._listeners.discard(listener)
        self._wanted_at = asyncio.get_running_loop().time()

    def since(self, place: Place) -> list[Message] | None:
        """What came after a place, None when that is not known any more."""
        last = self.place
        if place.epoch != last.epoch or not (
            last.number - len(self._kept) <= place.number <= last.number
        ):
            return None
        return [message for message in self._kept if message.place.number > place.number]

    def begin_anew(self) -> None:
        """Read with a new consumer: a topic was made anew, or has other partitions."""
        self._is_outdated = True

    def _is_wanted(self) -> bool:
        waited = asyncio.get_running_loop().time() - self._wanted_at
        return bool(self._listeners) or waited < LINGER

    async def _read(self) -> None:
        """Until nobody listens any more; begins again when Kafka was lost."""
        tries = waits()
        while self._is_wanted() and not self.should_stop:
            try:
                await self._read_on()
                tries = waits()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("the live feed lost its connection to Kafka: %r", error)
                await asyncio.sleep(next(tries))
            finally:
                self._ready.clear()

    async def _read_on(self) -> None:
        cluster = self._cluster()
        if cluster is None:
            await asyncio.sleep(TICK)
            return
        consumer = cluster.consumer(
            *self._topics,
            auto_offset_reset="latest",
            # Kafka gathers what comes, instead of sending it record by record.
            fetch_min_bytes=64 * 1024,
            fetch_max_wait_ms=int(TICK * 1000),
            max_partition_fetch_bytes=256 * 1024,
        )
        try:
            async with asyncio.timeout(STARTING):
                await consumer.start()
                for tp in consumer.assignment():
                    await consumer.position(tp)
            self._begin()
            self._is_outdated = False
            self._ready.set()
            self._tell("the worker has begun to read anew")
            while self._is_wanted() and not (self.should_stop or self._is_outdated):
                await self._turn(consumer)
        finally:
            await let_go(consumer.stop())

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        got = await consumer.getmany(timeout_ms=1000)
        if not got:
            return
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._published_at + TICK - loop.time()))
        self._published_at = loop.time()
        more = await consumer.getmany(timeout_ms=0)
        records = [r for found in (got, more) for chunk in found.values() for r in chunk]
        place = Place(self.place.epoch, self.place.number + 1)
        if len(records) > MOST:
            # They come one partition after the other; the newest are to be left.
            records.sort(key=lambda record: record.timestamp)
        data = self._render(place, records[-MOST:], max(0, len(records) - MOST))
        await self._publish(Message(place, data))
        ends = {tp: consumer.last_stable_offset(tp) for tp in got}
        if sum(ends[tp] - found[-1].offset for tp, found in got.items()) > MOST:
            await consumer.seek_to_end()
            self._tell("more arrived than can be shown")

    async def _publish(self, message: Message) -> None:
        self.place = message.place
        self._kept.append(message)
        self._kept_bytes += len(message.data)
        while len(self._kept) > KEPT or self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft().data)
        # Who joins meanwhile has it from `since`.
        listeners = tuple(self._listeners)
        pause = SPREAD * AT_ONCE / max(len(listeners), AT_ONCE)
        for index, listener in enumerate(listeners):
            if index and index % AT_ONCE == 0:
                await asyncio.sleep(pause)
            if listener in self._listeners:  # it may have left meanwhile
                listener.take(message)

    def _tell(self, reason: str) -> None:
        for listener in tuple(self._listeners):
            listener.missed(self.place, reason)

    async def on_stop(self) -> None:
        """Let go of Kafka."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading], timeout=2 * CLOSING)
