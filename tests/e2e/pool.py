"""Brokers that tests use one after the other, since the start of one takes seconds.

Each of them is an embedded one that this process holds. It is empty whenever a test gets it:
one that can't be emptied at once is not used again. No test may kill such a broker or change
its settings.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DeleteGroupsRequest

from orderapp.engine.embedded import EmbeddedBroker

#: Until a broker that is not empty is given up.
EMPTY_SECONDS = 5
#: Has nothing of groups that were deleted. What else begins so keeps what was done, as the log
#: of transactions.
OFFSETS, INTERNAL = "__consumer_offsets", "__"


class NotEmptyError(Exception):
    """Something in the broker is there to stay."""


class Broker:
    """A running broker."""

    def __init__(self, data_dir: Path) -> None:
        #: What a worker has as `kafka` in its data directory.
        self.directory = data_dir / "kafka"
        self._embedded = EmbeddedBroker(data_dir)
        self.bootstrap_servers = self._embedded.join()

    def is_emptied(self) -> bool:
        """Delete all that is in it, and see whether it has gone."""
        try:
            asyncio.run(_empty(self.bootstrap_servers))
        except (KafkaError, NotEmptyError, TimeoutError) as error:
            print(f"the broker in {self.directory} is not used again: {error!r}")
            return False
        return self._embedded.is_running(self.bootstrap_servers)

    def end(self) -> None:
        """It ends soon."""
        self._embedded.leave()


async def _empty(server: str) -> None:
    """Raises what aiokafka raises, `NotEmptyError` or `TimeoutError`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    try:
        async with asyncio.timeout(EMPTY_SECONDS):
            await admin.start()
            # Before their topics, whose offsets Kafka would delete a moment after these.
            if groups := await _groups(admin):
                await admin._send_request(DeleteGroupsRequest(groups))
            while topics := await _topics(admin):
                await admin.delete_topics(topics)
            # One that has members is not deleted: somebody was killed, or still runs.
            if groups := await _groups(admin):
                raise NotEmptyError(groups)
    finally:
        await admin.close()


async def _groups(admin: AIOKafkaAdminClient) -> list[str]:
    return [group for group, *_ in await admin.list_consumer_groups()]


async def _topics(admin: AIOKafkaAdminClient) -> list[str]:
    topics = {*await admin.list_topics()} - {OFFSETS}
    if internal := [topic for topic in topics if topic.startswith(INTERNAL)]:
        raise NotEmptyError(internal)
    return [*topics]


class Pool:
    """The brokers of one process of pytest."""

    def __init__(self, new_directory: Callable[[], Path]) -> None:
        self._new_directory = new_directory
        self._free: list[Broker] = []

    @contextmanager
    def lend(self) -> Iterator[Callable[[], Broker]]:
        """The broker of a block, which is taken when it is first asked for."""
        taken: list[Broker] = []

        def broker() -> Broker:
            if not taken:
                taken.append(self._free.pop() if self._free else Broker(self._new_directory()))
            return taken[0]

        try:
            yield broker
        finally:
            for one in taken:
                self._take_back(one)

    def _take_back(self, broker: Broker) -> None:
        if broker.is_emptied():
            self._free.append(broker)
        else:
            broker.end()

    def end(self) -> None:
        """End those that nobody has."""
        while self._free:
            self._free.pop().end()
