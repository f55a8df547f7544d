"""The windows of partitions that are read, brought to where a batch begins.

What they hold follows from the log. So nothing of them is stored, and no rebalance is waited
for: when a batch does not begin where the last one ended (it is the first one here, another
worker has read in between, it is tried again) the records before it are read.
"""

import logging
from collections.abc import Callable, Iterable

from aiokafka import ConsumerRecord

from orderapp.engine import Batch, FatalError, TransientError
from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.reading import TopicReader
from orderapp.engine.observe.logs import Few
from orderapp.models import Order
from orderapp.window import MOST, Windows

logger = logging.getLogger(__name__)
_few = Few(logger, logging.WARNING, "windows without room", most=1, seconds=600)


class Memory:
    """The windows of each partition of a topic."""

    def __init__(
        self, topic: str, cluster: Callable[[], Cluster | None], decoder: Decoder[Order]
    ) -> None:
        self._topic = topic
        self._cluster = cluster
        self._decoder = decoder
        #: And the offset behind the last record that each has taken in.
        self._windows: dict[int, tuple[Windows, int]] = {}

    def keep(self, partitions: Iterable[int]) -> None:
        """Forget all others."""
        kept = {*partitions}
        self._windows = {p: w for p, w in self._windows.items() if p in kept}

    def notice(self, topic: str) -> None:
        """Hear of a topic that was made anew, or has other partitions."""
        if topic == self._topic:
            self.keep(())

    async def before(self, batch: Batch[Order], seconds: int) -> Windows:
        """The windows, so long, as they are before a batch; the caller lets them see all of it.

        Raises `TransientError` when what lies before can't be read."""
        partition, first = batch.partition, batch.records[0]
        # It comes back when all is done: what fails in between is built anew.
        windows, reached = self._windows.pop(partition, (Windows(0), 0))
        if reached > first.offset or windows.seconds < seconds:
            windows, reached = Windows(seconds), 0
        windows.seconds = seconds
        if reached < first.offset:
            await self._read(windows, reached, first)
        self._windows[partition] = windows, batch.records[-1].offset + 1
        if windows.dropped and _few.room():
            line = "%s[%d]: windows hold the %d latest orders, and %d others had no room"
            logger.warning(line, self._topic, partition, MOST, windows.dropped)
        return windows

    async def _read(self, windows: Windows, reached: int, first: ConsumerRecord) -> None:
        """Take in what lies before a record, as far as it can be in a window with it."""
        cluster, partition = self._cluster(), first.partition
        if cluster is None:
            raise TransientError("Kafka is not reachable yet")
        since = first.timestamp - windows.seconds * 1000 + 1
        try:
            async with TopicReader(cluster) as reader:
                begins = await reader.begins_at(self._topic, since)
                begin = max(reached, begins.get(partition, first.offset))
                ends = {partition: first.offset}
                async for _, records in reader.read(self._topic, ends, {partition: begin}):
                    batch, _ = self._decoder.batch(records)
                    windows.see(batch.values, [r.timestamp for r in batch.records], ())
        except FatalError as error:  # no order is given up for that
            raise TransientError(str(error)) from error
        took = "taken in again" if reached == 0 else "caught up with"
        logger.info(
            "%s[%d]: %d orders of the last %d s before offset %d were %s",
            *(self._topic, partition, len(windows), windows.seconds, first.offset, took),
        )
