"""Brings a worker's partitions to where its group begins, and tells what is lost there."""

import logging
from collections.abc import Callable, Collection, Mapping

from aiokafka.errors import KafkaError
from faust.types import TP

from orderapp.engine.kafka import beginnings
from orderapp.engine.kafka.beginnings import Known, Start, start_of
from orderapp.engine.kafka.host import Host
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka.outlook import InThread

logger = logging.getLogger(__name__)


class Starts:
    """Where partitions are begun. `commits` says whether the offsets of a topic are committed,
    `topic_ids` gets the ids of the topics that are read, and `last_timestamps` has those of the
    last records that were read (ms of Unix time)."""

    def __init__(
        self,
        host: Host,
        group: str,
        in_thread: InThread,
        commits: Callable[[str], bool],
        topic_ids: dict[str, str],
        last_timestamps: Mapping[TP, int],
    ) -> None:
        self._host = host
        self._group = group
        self._in_thread = in_thread
        self._commits = commits
        self._topic_ids = topic_ids
        self._last_timestamps = last_timestamps
        #: Where each partition was begun since it was assigned.
        self.begun: dict[TP, int] = {}

    async def ask(self, tps: Collection[TP]) -> dict[TP, Known]:
        """What Kafka says of assigned partitions."""
        known: dict[TP, Known] = await self._in_thread(beginnings.ask, tps)
        return known

    async def ask_once(self, tps: Collection[TP]) -> dict[TP, Known]:
        """The same, or nothing: then it is asked again, as the next fetch fails too."""
        try:
            return await self.ask(tps)
        except KafkaError as error:
            logger.warning("Kafka does not report where partitions begin: %r", error)
            return {}

    async def begin(self, known: Mapping[TP, Known]) -> dict[TP, Start]:
        """Go back to what is committed; to the beginning where nothing is, and where what comes
        next was deleted."""
        self._topic_ids.update({tp.topic: told.topic_id for tp, told in known.items()})
        starts = {tp: start_of(told) for tp, told in known.items()}
        kept = {tp: told for tp, told in known.items() if self._commits(tp.topic)}
        beginnings.tell(self._group, kept, starts)
        await self.go(starts, known)
        return starts

    async def go(self, starts: Mapping[TP, Start], commit: Collection[TP]) -> None:
        """Tell what is lost, go where to begin, and commit it for those in `commit`."""
        lost = [
            Loss(
                self._group,
                *tp,
                first=start.lost_from,
                next=start.offset,
                topic_id=self._topic_ids.get(tp.topic, ""),
                after=self._last_timestamps.get(tp),
            )
            for tp, start in starts.items()
            if start.lost_from is not None and self._commits(tp.topic)
        ]
        if lost:
            await self._host.report_lost(lost)
        keep = [tp for tp in commit if self._commits(tp.topic)]
        try:
            await self._in_thread(beginnings.go, starts, keep)
        except KafkaError as error:
            logger.debug("the beginnings are not committed: %r", error)
        self.begun.update({tp: start.offset for tp, start in starts.items()})
