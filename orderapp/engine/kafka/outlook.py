"""What Kafka says of a worker's partitions: where they end, and how far reading is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from faust.types import TP

from orderapp.engine.kafka.held import Held
from orderapp.engine.kafka.transactions import OpenTransactions

#: Seconds that Kafka has to answer.
ANSWER_SECONDS = 4.5

#: Calls a function with aiokafka's consumer, in the loop of that one's thread.
InThread = Callable[..., Awaitable[Any]]


class Progress(NamedTuple):
    """How far the work on a partition is. An offset is that of the next record, or unknown."""

    tp: TP
    committed: int | None
    position: int | None
    end: int | None
    #: Of the last record that this worker read, in ms of Unix time.
    timestamp: int | None
    unfinished: list[Held]
    #: Where aiokafka was at the last look, also behind what nobody can read; 0 while what it
    #: fetched up to there may still be on its way to the services.
    reached: int = 0
    #: Timestamp (ms of Unix time) of the oldest open transaction's first record.
    opened: int | None = None


class Outlook:
    """Asks Kafka, and remembers what it said last."""

    def __init__(self, in_thread: InThread, fetches: Callable[[], int]) -> None:
        self._in_thread, self._fetches = in_thread, fetches
        self.ends: dict[TP, int] = {}
        #: Where the consumer was, after so many fetches.
        self.reached: dict[TP, int] = {}
        self.reached_by = 0
        self.open_transactions = OpenTransactions()

    async def look(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """The offset that is read next, and the end, of each of these partitions.

        Partitions that were given up meanwhile are left out. Raises what aiokafka raises, or
        TimeoutError; it must not be cancelled."""
        result: dict[TP, tuple[int, int]] = await self._in_thread(self._ask, list(tps))
        self.ends = {tp: end for tp, (_, end) in result.items()}
        self.reached = {tp: position for tp, (position, _) in result.items()}
        return result

    async def _ask(
        self, consumer: AIOKafkaConsumer, tps: list[TP]
    ) -> dict[TP, tuple[int, int]]:
        # aiokafka asks on and on for a partition that has just been deleted.
        async with asyncio.timeout(ANSWER_SECONDS):
            ends = await consumer.end_offsets(tps)
            await self.open_transactions.look(consumer, _bounds(consumer))
            seen = {
                tp: (await consumer.position(tp), end)
                for tp, end in ends.items()
                if tp in consumer.assignment()
            }
            self.reached_by = self._fetches()
            return seen

    async def renew_topics(self, *, rejoin: bool) -> None:
        """Ask anew for topics and partitions; the group divides them again where their numbers
        have changed, and always with `rejoin`."""
        await self._in_thread(_renew_topics, rejoin)


def _bounds(consumer: AIOKafkaConsumer) -> dict[TP, tuple[int, int]]:
    """The last stable offsets, and the ends for who reads everything, as the last fetches
    brought them; those of one partition are from the same fetch."""
    return {
        tp: (stable, consumer.highwater(tp))
        for tp in consumer.assignment()
        if (stable := consumer.last_stable_offset(tp)) is not None
    }


async def _renew_topics(consumer: AIOKafkaConsumer, rejoin: bool) -> None:
    async with asyncio.timeout(ANSWER_SECONDS):
        await consumer._client.force_metadata_update()
    if rejoin:
        consumer._coordinator.request_rejoin()
