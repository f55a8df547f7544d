"""Follows a topic of one partition whose records decide something: each process has all.

They are read apart from any group, from the first one on, and again when the topic was made
anew.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiokafka import ConsumerRecord
from mode import Service

from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.reading import TopicReader
from orderapp.engine.kafka.rights import until_allowed
from orderapp.engine.observe.blocked import blocked

logger = logging.getLogger(__name__)

#: Seconds between two looks.
EVERY = 0.3

#: Gets what is new, in the order of the log; `anew`: it begins with the first record there is,
#: and what came before counts no more.
Take = Callable[[Sequence[ConsumerRecord], bool], None]


class Follower(Service):
    """Hands all records of `topic` to `take`. Its start ends when all were taken that are
    there; what comes later is taken soon after. What was taken holds while Kafka is away."""

    def __init__(self, cluster: Callable[[], Cluster | None], topic: str, take: Take) -> None:
        self.topic = topic
        self._cluster = cluster
        self._take = take
        self._reader: TopicReader | None = None
        #: The offsets that are read next; empty: nothing was read yet.
        self._next: dict[int, int] = {}
        self._is_outdated = self._is_behind = False
        self._place = f"follow {topic}"
        self._lock = asyncio.Lock()
        super().__init__()

    async def look(self) -> None:
        """Take what is new; raises `TransientError` and `FatalError`, and has taken nothing."""
        async with self._lock:
            try:
                await self._look(await self._open())
            except BaseException:
                await self.close()
                raise

    def notice(self, topic: str) -> None:
        """Hear of a topic that was made anew, or has other partitions."""
        self._is_outdated |= topic == self.topic

    async def _look(self, reader: TopicReader) -> None:
        ends = dict(await reader.ends(self.topic))
        if len(ends) > 1:
            raise TransientError(
                f"the topic {self.topic!r} has {len(ends)} partitions, and the order of its "
                "records decides: make it anew with 1"
            )
        if any(end < self._next.get(partition, 0) for partition, end in ends.items()):
            self._next = {}
        before = self._next
        if ends == before:
            return
        records: list[ConsumerRecord] = []
        async for _, chunk in reader.read(self.topic, ends, before or None):
            records += chunk
        self._take(records, not before)
        self._next = ends

    async def _open(self) -> TopicReader:
        cluster = self._cluster()
        if cluster is None:
            raise TransientError("Kafka is not reachable yet")
        if self._is_outdated:
            self._is_outdated, self._next = False, {}
            await self.close()
        if self._reader is None:
            self._reader = await TopicReader(cluster).__aenter__()
        if not self._reader.has(self.topic):  # one that was just made is not known everywhere
            raise TransientError(
                f"the topic {self.topic!r} does not exist on Kafka at {cluster}: a worker "
                "creates it when it starts"
            )
        return self._reader

    async def close(self) -> None:
        """Let go of Kafka; the next look begins where the last one ended."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await let_go(reader.__aexit__())

    async def on_start(self) -> None:
        """Take all there is, however long Kafka lets us wait."""
        await until_allowed(self._place, self.look)

    @Service.task
    async def _follow(self) -> None:
        await self.sleep(EVERY)
        while not self.should_stop:
            try:
                await self.look()
            except TransientError as error:
                self._tell_behind(str(error))
            except FatalError as error:
                blocked.block(self._place, str(error))
            else:
                blocked.free(self._place)
                self._tell_behind(None)
            await self.sleep(EVERY)

    def _tell_behind(self, why: str | None) -> None:
        if why and not self._is_behind:
            logger.warning("%s is not followed, what was read holds: %s", self.topic, why)
        elif self._is_behind and not why:
            logger.info("%s is followed again", self.topic)
        self._is_behind = bool(why)

    async def on_stop(self) -> None:
        """Let go of Kafka."""
        await self.close()
