"""The thread of a worker's consumer: how it reads, and how it ends.

Faust makes aiokafka's consumer with values of its own: uncommitted records (unless it runs
exactly-once) and fetches that wait for 1.5 s. And it crashes with every error that Kafka
answers, be it one that passes or one that somebody has to mend. Where Kafka has deleted what
comes next, aiokafka goes on with the oldest record that is left, without a word. And Faust
waits without a bound for its end, which aiokafka puts off while a broker is away.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import LeaveGroupRequest
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from mode.threads import ServiceThread, WorkerThread

from orderapp.engine.delivery.retry import persist
from orderapp.engine.delivery.stopping import CLOSING_SECONDS, stopping
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.beginnings import name_topics
from orderapp.engine.kafka.cluster import ISOLATION, connect, let_go
from orderapp.engine.kafka.gathering import Gathering
from orderapp.engine.kafka.membership import Membership, place
from orderapp.engine.kafka.readable import Readable
from orderapp.engine.kafka.rights import RETRY_SECONDS
from orderapp.engine.observe.blocked import blocked

logger = logging.getLogger(__name__)


class _Thread(WorkerThread):
    """A thread that may be left behind."""

    def __init__(self, service: ServiceThread) -> None:
        super().__init__(service)
        self.daemon, self.name = True, "consumer"

    def stop(self) -> None:
        """Wait until it has ended."""
        self.is_stopped.wait(stopping.left(CLOSING_SECONDS))


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads what was committed; `transport.fetch_wait` is how long a fetch waits (s)."""

    Worker = _Thread
    #: Seconds that the worker waits for it: longer than it waits itself.
    shutdown_timeout = 2 * CLOSING_SECONDS

    _gathering: Gathering
    _membership: Membership
    _readable: Readable

    async def on_start(self) -> None:
        """Connect; a Kafka that has gone since it was found is waited for, or a stop."""
        await self.wait_for_stopped(persist("start of the consumer", self._connect))

    async def _connect(self) -> None:
        consumer = self._create_consumer(self.thread_loop)
        await connect(consumer)
        self._consumer, self.time_started = consumer, time.monotonic()
        self._gathering = Gathering(consumer)
        self._membership = Membership(consumer, self._fail)
        self._readable = Readable(consumer)

    def _fail(self, error: FatalError) -> None:
        self.parent_loop.call_soon_threadsafe(self.app.fail, error)  # type: ignore[attr-defined]

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        consumer = super()._create_consumer(loop)
        # It looks at all three when it is started.
        consumer._isolation_level = ISOLATION
        consumer._fetch_max_wait_ms = int(self.transport.fetch_wait * 1000)  # type: ignore[attr-defined]
        if consumer._auto_offset_reset == "earliest":
            consumer._auto_offset_reset = "none"  # `Consumer` decides, and tells
        name_topics(consumer, self.consumer.topic_ids)  # type: ignore[attr-defined]
        return consumer

    def assignment(self) -> set[TP]:
        """The partitions that this worker reads; none until it is connected."""
        return super().assignment() if self._consumer is not None else set()

    def highwater(self, tp: TP) -> int:
        """Where the partition ends for us: what is behind it belongs to open transactions."""
        end: int = self._ensure_consumer().last_stable_offset(tp)
        return end

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        try:
            records = await super()._fetch_records(*args, **kwargs)
        except TopicAuthorizationFailedError as error:
            self._readable.refuse(error.args[0])
            return {}
        if records:  # without an `await` since aiokafka's position is behind them
            self.consumer.fetches += 1  # type: ignore[attr-defined]
            self._gathering.came(len(records))
        return records

    @Service.task
    async def _look_at_rights(self) -> None:
        while not self.should_stop:
            await self.sleep(RETRY_SECONDS)
            self._readable.look()

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Whether Kafka has taken `offsets`. Else they are committed again, or come again."""
        consumer, ours = self._ensure_consumer(), self.assignment()
        try:
            await consumer.commit(
                {tp: OffsetAndMetadata(at, "") for tp, at in offsets.items() if tp in ours}
            )
        except (CommitFailedError, IllegalStateError):
            return False  # a rebalance has taken the partitions
        except TopicAuthorizationFailedError as error:
            for topic in error.args[0]:
                self._readable.refuse(topic)
            return False
        except KafkaError as error:
            self._membership.report(error)
            return False
        blocked.free(place(self.app.conf.id))
        return True

    async def on_thread_stop(self) -> None:
        """Leave the group and close; what has not ended in time is cancelled after it."""
        closing = asyncio.ensure_future(self._close())
        await asyncio.wait({closing}, timeout=stopping.left(CLOSING_SECONDS))
        if not closing.done():
            logger.warning(
                "Kafka does not answer: the group notices by the session timeout that this "
                "worker has left"
            )
        # aiokafka's end of a fetch that waits for another try is a cancellation of the caller.
        elif not closing.cancelled() and (error := closing.exception()):
            logger.warning("Kafka's consumer did not close cleanly: %r", error)

    async def _close(self) -> None:
        if self.app.rebalancing and self._consumer is not None:
            await let_go(_leave_now(self._consumer), CLOSING_SECONDS)
        await super().on_thread_stop()

    async def _gather_remaining_tasks(self) -> None:
        await super()._gather_remaining_tasks()
        if self._consumer is not None:
            # Now that nobody waits for an answer.
            await let_go(self._consumer._client.close(), CLOSING_SECONDS)

    async def stop(self) -> None:
        """Stop the thread; leave it behind when it hangs."""
        try:
            await super().stop()
        except TimeoutError:
            logger.warning("the consumer's thread did not end, and is abandoned")


async def _leave_now(consumer: AIOKafkaConsumer) -> None:
    """Leave the group in the middle of a rebalance.

    aiokafka would wait for its end, which may be that of a dead worker's session. On another
    connection: on that of the join Kafka answers nothing before the join."""
    coordinator = consumer._coordinator
    coordinator._coordination_task.cancel()
    await asyncio.wait({coordinator._coordination_task})
    node, member = coordinator.coordinator_id, coordinator.member_id
    # Who has an instance id is waited for.
    if node is not None and member and coordinator._group_instance_id is None:
        await consumer._client.send(node, LeaveGroupRequest(coordinator.group_id, member))
        coordinator.reset_generation()
