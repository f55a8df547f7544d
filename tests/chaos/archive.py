"""What was in the topics, also of what is deleted while a run goes on."""

import asyncio
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import ConsumerRecord

from tests.chaos import clients

READ_SECONDS = 120.0


class Place(NamedTuple):
    """Where a record is. A topic that is deleted and made anew begins its next epoch."""

    epoch: int
    partition: int
    offset: int


@dataclass(frozen=True)
class Taken:
    """Offsets of a partition that were deleted before they were committed."""

    topic: str
    epoch: int
    partition: int
    begin: int
    end: int

    def __contains__(self, place: Place) -> bool:
        return (
            place[:2] == (self.epoch, self.partition) and self.begin <= place.offset < self.end
        )


class Archive:
    """Every record that could be read at the end, or before something deleted it.

    Only what is committed can be read."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._records: defaultdict[str, dict[Place, ConsumerRecord]] = defaultdict(dict)
        #: When the topics' epochs began, in ms of Unix time.
        self._epochs: defaultdict[str, list[int]] = defaultdict(lambda: [0])
        self.taken: list[Taken] = []

    async def keep(self, topic: str) -> set[Place]:
        """Read all that is in a topic now; the places."""
        async with asyncio.timeout(READ_SECONDS):
            found = await clients.read(self._server, topic)
        now = {Place(self.epoch(topic), r.partition, r.offset): r for r in found}
        self._records[topic] |= now
        return set(now)

    def of(self, topic: str) -> Mapping[Place, ConsumerRecord]:
        """All that was ever kept of a topic, in the order of the places."""
        return dict(sorted(self._records[topic].items()))

    def epoch(self, topic: str) -> int:
        """The one that the topic is in."""
        return len(self._epochs[topic]) - 1

    def epoch_at(self, topic: str, timestamp: int) -> int:
        """The one that a record of this time is of."""
        return bisect_right(self._epochs[topic], timestamp) - 1

    def begin_epoch(self, topic: str) -> None:
        """The topic is deleted, and nothing is sent to it yet."""
        self._epochs[topic].append(int(time.time() * 1000))
