"""What keeps a worker out of its consumer group, said in one line.

aiokafka hands such an error to whoever waits for records, once, and does nothing more until
it is asked; Faust crashes with it, or never hears of it. Here the worker ends where no try
can help, and else tries again: blocked, when somebody has to mend something first.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    BrokerResponseError,
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    KafkaError,
    kafka_errors,
)

from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.log_filter import Once
from orderapp.engine.kafka.rights import RETRY_SECONDS, cause_of, forbidden
from orderapp.engine.observe.blocked import blocked

logger = logging.getLogger(__name__)
logger.addFilter(Once())


class GroupMaxSizeReachedError(BrokerResponseError):  # type: ignore[misc]
    """The group has as many members as the broker allows."""

    errno = 81
    message = "GROUP_MAX_SIZE_REACHED"


class FencedInstanceIdError(BrokerResponseError):  # type: ignore[misc]
    """Another member has come with the same instance id."""

    errno = 82
    message = "FENCED_INSTANCE_ID"


# aiokafka does not know their numbers.
kafka_errors |= {own.errno: own for own in (GroupMaxSizeReachedError, FencedInstanceIdError)}

_NEVER = {
    InvalidSessionTimeoutError: (
        "the broker refuses a session timeout of {session:g} s: set ORDERAPP_SESSION_TIMEOUT "
        "to what its group.min.session.timeout.ms and group.max.session.timeout.ms allow"
    ),
    InvalidGroupIdError: "the broker refuses this name",
    FencedInstanceIdError: (
        "another worker has come as instance {instance!r}: give each worker an "
        "ORDERAPP_INSTANCE_ID of its own"
    ),
}
_MENDABLE = {
    InconsistentGroupProtocolError: (
        "members that share partitions in another way are in it, of another program: stop them "
        "(kafka-consumer-groups --describe --members --group {group} lists them); this worker "
        "joins when they have left"
    ),
    GroupMaxSizeReachedError: (
        "it is full: stop other workers or raise the broker's group.max.size; this worker "
        "joins when there is room"
    ),
}


def place(group: str) -> tuple[str, str]:
    """What is blocked while the worker is kept out of `group`."""
    return "group", group


class Membership:
    """Looks after the membership of a consumer that was just started.

    `fail` ends the worker. Runs in the consumer's loop."""

    def __init__(self, consumer: AIOKafkaConsumer, fail: Callable[[FatalError], None]) -> None:
        self._coordinator: Any = consumer._coordinator
        self._group: str = self._coordinator.group_id
        self._fail = fail
        self._session: float = self._coordinator._session_timeout_ms / 1000
        self._instance: str | None = self._coordinator._group_instance_id
        self._heartbeat_at: float | None = None
        self._is_over = False
        self._take_over()
        for task in (self._coordinator._coordination_task, consumer._fetcher._fetch_task):
            task.add_done_callback(self._ended)

    def _take_over(self) -> None:
        coordinator = self._coordinator
        coordinator._push_error_to_user = self._kept_out
        self._do_heartbeat, self._reset = (
            coordinator._do_heartbeat,
            coordinator.reset_generation,
        )
        coordinator._do_heartbeat = self._heartbeat
        coordinator.reset_generation = self._reset_generation

    def judge(self, error: KafkaError) -> FatalError | str | None:
        """What ends the worker, what somebody has to mend, or None: it may pass by itself."""
        cause = cause_of(error)
        if cause is GroupAuthorizationFailedError:
            return str(forbidden("READ", "group", self._group))
        text = _NEVER.get(cause) or _MENDABLE.get(cause)
        if text is None:
            return None
        text = text.format(group=self._group, session=self._session, instance=self._instance)
        line = f"can't be a member of group {self._group!r}: {text}"
        return FatalError(line) if cause in _NEVER else line

    def report(self, error: KafkaError) -> None:
        """End the worker, block it, or say that it is tried again."""
        verdict = self.judge(error)
        if isinstance(verdict, FatalError):
            self._is_over = True
            self._fail(verdict)
        elif verdict is not None:
            blocked.block(place(self._group), verdict)
        else:
            logger.warning("group %s: %s; trying again", self._group, error)

    async def _kept_out(self, error: KafkaError) -> None:
        self.report(error)
        # Also after an error of the heartbeats, which have ended: only a join begins new ones.
        self._coordinator.request_rejoin()
        timeout = None if self._is_over else RETRY_SECONDS
        await asyncio.wait([self._coordinator._closing], timeout=timeout)

    async def _heartbeat(self) -> bool:
        done: bool = await self._do_heartbeat()
        if done:
            self._heartbeat_at = time.monotonic()
        return done

    def _reset_generation(self) -> None:
        # aiokafka's heartbeats and commits do not name the instance, so that Kafka can only
        # say that it does not know the member. One that was known a moment ago was replaced;
        # to join again would replace the other, and so on without end.
        seen, self._heartbeat_at = self._heartbeat_at, None
        if (
            self._instance is not None
            and seen is not None
            and time.monotonic() - seen < self._session / 2
            and not self._coordinator._closing.done()
        ):
            self.report(FencedInstanceIdError())
        if not self._is_over:
            self._reset()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fail(
                FatalError(f"group {self._group}: the consumer broke: {task.exception()!r}")
            )
