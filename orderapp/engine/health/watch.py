"""Whether the worker makes progress (alive), and has what it needs for that (ready).

A consumer can stop without an error or a log line. What shows it is work that waits while
nothing is committed. A broker or a store that is away shows the same, and a restart would not
help then; so only what nothing outside explains counts as stalled.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from orderapp.engine.health.host import Host
from orderapp.engine.health.topic_watch import TopicWatch
from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.rights import FORBIDDEN
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up
from orderapp.engine.observe.stacks import LoopWatch, stacks

logger = logging.getLogger(__name__)

#: Seconds between two looks, and those that Kafka has to answer one.
EVERY, PATIENCE = 2.0, 5.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a partition: the committed offset, and whether records wait behind it.

    `excused`: something outside explains it when nothing is committed."""

    committed: int | None
    waiting: bool
    excused: bool = False


class Stalls:
    """Since when each partition has had work waiting and made no progress."""

    def __init__(self) -> None:
        self._since: dict[TP, tuple[float, int | None]] = {}

    def look(self, now: float, sights: Mapping[TP, Sight]) -> None:
        """Note what is seen at `now` (s, of any clock that only rises)."""
        self._since = {tp: self._judge(now, tp, sight) for tp, sight in sights.items()}

    def _judge(self, now: float, tp: TP, sight: Sight) -> tuple[float, int | None]:
        since, committed = self._since.get(tp, (now, sight.committed))
        if sight.excused or not sight.waiting or committed != sight.committed:
            since = now
        return since, sight.committed

    def excuse(self, now: float) -> None:
        """Begin anew: nothing can be known about the time before `now`."""
        self._since = {tp: (now, committed) for tp, (_, committed) in self._since.items()}

    def longer_than(self, seconds: float, now: float) -> list[TP]:
        """The partitions that have stalled for so long."""
        return sorted(tp for tp, (since, _) in self._since.items() if now - since >= seconds)


class Running:
    """A clock of the event loop: the seconds in which it ran. A process that gets no processor,
    or a machine that pauses, does not move it on: nothing seems to have waited meanwhile."""

    def __init__(self, most: float) -> None:
        #: What may pass between two ticks (s); more is a pause.
        self._most = most
        #: What had passed at the last tick, and when that was: one value for both threads.
        self._at = 0.0, time.monotonic()

    def tick(self) -> None:
        """The event loop runs."""
        self._at = self.now(), time.monotonic()

    def now(self) -> float:
        """Seconds since it was made."""
        passed, ticked = self._at
        return passed + min(time.monotonic() - ticked, self._most)


class Watch(Service):
    """Looks at the consumer's progress, and whether Kafka answers, every few seconds."""

    def __init__(self, app: Host, stall_seconds: float) -> None:
        self.app = app
        self.stall_seconds = stall_seconds
        #: Whether Kafka has answered lately.
        self.kafka_answers = True
        self._stalls = Stalls()
        #: Since when the rebalance under way, by its number, could have ended.
        self._rebalance: tuple[int, float] | None = None
        self._asking: asyncio.Task[bool] | None = None
        self._every = min(EVERY, stall_seconds / 4)
        self._clock = Running(2 * self._every)
        self._thread_seen = self._clock.now()
        self._told = False
        self._loop_watch = LoopWatch(stall_seconds, self._loops)
        super().__init__()
        self._topics = TopicWatch(app, self.add_future)

    @property
    def stalled(self) -> str | None:
        """What has made no progress for too long, in one line; None while all is well."""
        if not self.started:
            return None  # the worker waits for Kafka at its start
        now = self._clock.now()
        if now - self._thread_seen >= self.stall_seconds:
            return f"the consumer's thread has not run for {now - self._thread_seen:.0f} s"
        if self._rebalance is not None and now - self._rebalance[1] >= self.stall_seconds:
            return f"a rebalance has not ended for {now - self._rebalance[1]:.0f} s"
        found = self._stalls.longer_than(self.stall_seconds, now)
        if not found:
            return None
        places = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"{places}{more}: work waits, nothing committed for {self.stall_seconds:g} s"

    async def on_start(self) -> None:
        """Have the event loop watched too."""
        self._loop_watch.start()

    async def on_stop(self) -> None:
        """No longer: a stop has a bound of its own."""
        self._loop_watch.stop()

    def _loops(self) -> dict[str, asyncio.AbstractEventLoop]:
        consumer = self.app.running_consumer()
        loops = {"the main loop": self.loop}
        if consumer is not None:
            loops["the consumer's loop"] = consumer.thread_loop
        return loops

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self._look()
            self._tell()
            await self.sleep(self._every)

    def _tell(self) -> None:
        stalled = self.stalled
        if stalled is not None and not self._told:
            details = {"details": stacks(self._loops())}
            logger.error("stalled, /healthz says so: %s", stalled, extra=details)
        elif stalled is None and self._told:
            logger.info("no longer stalled")
        self._told = stalled is not None

    @Service.task
    async def _ping(self) -> None:
        # Apart from the looks, which may wait for Kafka.
        while not self.should_stop:
            self._loop_watch.tick()
            self._ping_thread()
            await self.sleep(self._every)

    @Service.task
    async def _watch_topics(self) -> None:
        # Apart too: one that is missing can hold up the others.
        while not self.should_stop:
            try:
                await self._topics.look()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.debug("the topics are not known: %r", error)
            await self.sleep(self._every)

    async def _look(self) -> None:
        consumer = self.app.running_consumer()
        tps = {
            tp
            for tp in (consumer.assignment() if consumer else ())
            if self._topics.is_there(tp.topic)
        }
        if consumer is None or not tps or self.app.rebalancing:
            self._stalls.look(self._clock.now(), {})
            self.kafka_answers = await self._answers(self._ask_producer())
            self._see_rebalance()
            return
        self._rebalance = None
        self.kafka_answers = await self._answers(self._see(consumer, tps))
        if not self.kafka_answers or blocked:
            self._stalls.excuse(self._clock.now())

    async def _answers(self, question: Coroutine[Any, Any, None]) -> bool:
        # A question that is still open is not put again, and is not broken off: it may run in
        # the consumer's thread, which would stumble over a future that is gone.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(_is_answered(question))
        else:
            question.close()
        await asyncio.wait({self._asking}, timeout=PATIENCE)
        return self._asking.done() and not self._asking.cancelled() and self._asking.result()

    async def _see(self, consumer: Consumer, tps: Iterable[TP]) -> None:
        ids = self._topics.ids
        seen = await consumer.outlook.look(tps)
        self._topics.note(seen, ids)
        consumer.outlook.open_transactions.tell()
        full = consumer.held.is_full and bool(held_up)
        sights = {
            tp: Sight(
                committed=consumer.committed(tp),
                waiting=consumer.holds(tp) or position < end,
                excused=full or (tp.topic, tp.partition) in held_up,
            )
            for tp, (position, end) in seen.items()
        }
        self._stalls.look(self._clock.now(), sights)

    def _see_rebalance(self) -> None:
        # Nothing is committed meanwhile, and nothing is known of the partitions. Kafka bounds
        # the part of it that others take; what it does not bound is this worker's own.
        number = self.app.rebalancing_count
        if not self.app.rebalancing:
            self._rebalance = None
            return
        excused = blocked or not self.kafka_answers
        if excused or self._rebalance is None or self._rebalance[0] != number:
            self._rebalance = number, self._clock.now()

    async def _ask_producer(self) -> None:
        client = self.app.kafka_client()
        if client is not None and not await client.force_metadata_update():
            raise ConnectionError("no metadata")

    def _ping_thread(self) -> None:
        self._clock.tick()
        consumer = self.app.running_consumer()
        if consumer is None:
            self._thread_seen = self._clock.now()
        else:
            consumer.call_soon(self._see_thread)

    def _see_thread(self) -> None:
        self._thread_seen = self._clock.now()


async def _is_answered(question: Coroutine[Any, Any, None]) -> bool:
    try:
        await question
    except Exception as error:  # of any kind: the consumer's thread may just have ended
        logger.debug("Kafka does not answer: %r", error)
        return isinstance(error, FORBIDDEN)  # a refusal is an answer
    return True
