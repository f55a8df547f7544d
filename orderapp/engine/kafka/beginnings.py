"""Where a worker begins to read each partition: where its group was, if that is still there.

Kafka may have deleted what comes next. Then that is lost, and it has to be told; a client that
simply goes on with the oldest record would say nothing. Or the whole topic was deleted and made
anew: its offsets mean other records then. So the topic's id is committed with every offset, and
so is the place where a group begins, before it has read anything there.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from orderapp.engine.kafka.topic_ids import partitions_of, topic_states

logger = logging.getLogger(__name__)


class Known(NamedTuple):
    """What Kafka says of a partition."""

    committed: OffsetAndMetadata | None
    #: The first offset that is left.
    first: int
    topic_id: str = ""
    #: Whether the group has committed offsets of other partitions of the topic.
    is_read: bool = False
    #: Behind the last record; asked for only where nothing is committed.
    end: int = 0


class Start(NamedTuple):
    """Where to begin."""

    offset: int
    #: What lies from here up to `offset` was deleted unread; None: nothing was.
    lost_from: int | None = None
    #: Whether this is nowhere committed yet.
    is_new: bool = False


def is_of(committed: OffsetAndMetadata, topic_id: str) -> bool:
    """Whether an offset was committed in the topic that has this id, as far as known."""
    return not (committed.metadata and topic_id) or committed.metadata == topic_id


def start_of(known: Known) -> Start:
    """Where a group begins in a partition, and what it has lost there."""
    committed, first, topic_id, is_read, _ = known
    if committed is None or not is_of(committed, topic_id):
        # A group begins in all partitions at once. So this one was empty when it began, or is
        # older than the commit of its beginning; a group that is new here has lost nothing.
        is_lost = is_read and first > 0
        return Start(first, 0 if is_lost else None, is_new=True)
    if committed.offset < first:
        return Start(first, committed.offset, is_new=True)
    return Start(committed.offset)


async def ask(consumer: AIOKafkaConsumer, tps: Collection[TP]) -> dict[TP, Known]:
    """What Kafka says of assigned partitions; those that have gone are left out."""
    states = await topic_states(consumer._client, {tp.topic for tp in tps})
    there = [TopicPartition(*tp) for tp in tps if tp.partition < states[tp.topic].partitions]
    every = partitions_of(states)
    firsts = await consumer.beginning_offsets(there) if there else {}
    offsets = await consumer._coordinator.fetch_committed_offsets(every) if there else {}
    new = [tp for tp in there if tp not in offsets or offsets[tp].offset < 0]
    ends = await consumer.end_offsets(new) if new else {}
    ids = {topic: state.id for topic, state in states.items()}
    return known_of(firsts, offsets, ids, ends)


def known_of(
    firsts: Mapping[Any, int],
    offsets: Mapping[Any, OffsetAndMetadata],
    ids: Mapping[str, str],
    ends: Mapping[Any, int] = MappingProxyType({}),
) -> dict[TP, Known]:
    """The same, of what was asked for: first offsets, all that the group has committed, the
    ids of the topics, and ends."""
    committed = {tp: at for tp, at in offsets.items() if at.offset >= 0}
    read: defaultdict[str, bool] = defaultdict(bool)
    for tp, at in committed.items():
        read[tp.topic] |= is_of(at, ids.get(tp.topic, ""))
    return {
        TP(*tp): Known(
            committed.get(tp), first, ids.get(tp.topic, ""), read[tp.topic], ends.get(tp, 0)
        )
        for tp, first in firsts.items()
    }


async def go(
    consumer: AIOKafkaConsumer, starts: Mapping[TP, Start], keep: Iterable[TP]
) -> None:
    """Go where to begin, and commit it for the partitions in `keep`, where it is new.

    Partitions that were given up meanwhile are left out."""
    ours = consumer.assignment()
    for tp, start in starts.items():
        if tp in ours:
            consumer.seek(TopicPartition(*tp), start.offset)
    new = {
        TopicPartition(*tp): OffsetAndMetadata(starts[tp].offset, "")
        for tp in keep
        if tp in ours and starts[tp].is_new
    }
    if new:
        await consumer.commit(new)


def name_topics(consumer: AIOKafkaConsumer, ids: Mapping[str, str]) -> None:
    """Let `consumer` commit the ids of topics with their offsets. `ids` may change."""
    commit = consumer.commit

    async def commit_with_ids(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        _refuse_gone(consumer._coordinator)
        await commit(
            {
                tp: OffsetAndMetadata(at.offset, ids.get(tp.topic, ""))
                for tp, at in offsets.items()
            }
        )

    consumer.commit = commit_with_ids


def _refuse_gone(coordinator: Any) -> None:
    """Let a commit for a topic that was deleted fail. aiokafka would try it on and on, and the
    rebalance that takes the topic's partitions away waits for it."""
    if "_do_commit_offsets" in vars(coordinator):
        return
    commit = coordinator._do_commit_offsets

    async def commit_once(*args: Any) -> None:
        try:
            await commit(*args)
        except UnknownTopicOrPartitionError as error:
            # In words by which Faust knows that it has to be done again.
            raise CommitFailedError(
                "without a topic the group has already rebalanced"
            ) from error

    coordinator._do_commit_offsets = commit_once


def tell(group: str, known: Mapping[TP, Known], starts: Mapping[TP, Start]) -> None:
    """Say where a group begins anew, and how many records a group that is new has to read."""
    for tp, (committed, _, topic_id, _, _) in known.items():
        if committed is not None and not is_of(committed, topic_id):
            logger.warning(
                "%s[%d] was recreated: group %s starts at its offset %d (%d was committed in "
                "the one that was deleted)",
                *(*tp, group, starts[tp].offset, committed.offset),
            )
    # A partition that was added to a topic is no news about a group that has read of others.
    new = [
        (tp, known[tp].first, known[tp].end)
        for tp in sorted(known)
        if known[tp].committed is None and not known[tp].is_read
    ]
    places = [f"{tp.topic}[{tp.partition}] from {first}" for tp, first, end in new if end]
    if places:
        logger.info(
            "group %s has read nothing here before, and starts with the oldest records: about "
            "%d wait in %s (what was deleted before does not count as a loss of this group)",
            *(group, sum(end - first for _, first, end in new), ", ".join(places)),
        )
