"""Transactions of other producers that are open: what they hold back, and for how long.

Consumers get no record behind the beginning of the oldest open transaction of a partition (its
last stable offset), also none of those that belong to no transaction. Nothing is lost, and
nothing here can end it; but it has to be seen.
"""

import copy
import logging
import time
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest

from orderapp.engine.kafka.tolerant import Fetched, TolerantRecords

logger = logging.getLogger(__name__)

#: Seconds after which an open transaction is worth a line in the log.
LONG = 10.0
#: Milliseconds that Kafka waits for records, which are there, and bytes of one answer.
FETCH_MS, FETCH_BYTES = 5, 1024 * 1024

#: The last stable offset of partitions, and their ends for who reads everything.
Bounds = Mapping[TopicPartition, tuple[int, int]]


class OpenTransactions:
    """The partitions in which a transaction is open, and since when."""

    def __init__(self) -> None:
        #: Where the oldest one begins, and the timestamp (ms of Unix time) of its first record.
        self._known: dict[TopicPartition, tuple[int, int]] = {}
        #: The ends at the last look, and its time (ms).
        self._ends: dict[TopicPartition, tuple[int, int]] = {}
        self._told: set[tuple[TopicPartition, int]] = set()

    async def look(self, consumer: AIOKafkaConsumer, bounds: Bounds) -> None:
        """Note which are open; raises what aiokafka raises."""
        now = int(time.time() * 1000)
        self._known = {
            tp: (stable, await self._since(consumer, tp, stable))
            for tp, (stable, end) in bounds.items()
            if stable < end
        }
        self._ends = {tp: (end, now) for tp, (_, end) in bounds.items()}

    async def _since(self, consumer: AIOKafkaConsumer, tp: TopicPartition, stable: int) -> int:
        offset, began = self._known.get(tp, (-1, 0))
        if offset == stable:
            return began
        end, looked = self._ends.get(tp, (stable + 1, 0))
        began = await _began(consumer, tp, stable)
        # Not before a look at which it was not there: who sends anew what is old keeps its
        # timestamps.
        return max(began, looked) if end <= stable else began

    @property
    def began(self) -> Mapping[TopicPartition, int]:
        """The timestamp (ms) of the oldest one of each partition that has one."""
        return {tp: began for tp, (_, began) in self._known.items()}

    def tell(self) -> None:
        """Say once of each that has been open for long."""
        now = time.time()
        places = {(tp, offset) for tp, (offset, began) in self._known.items()
                  if now - began / 1000 >= LONG}  # fmt: skip
        if new := sorted(places - self._told):
            logger.warning(
                "a transaction of a producer has been open for %.0f s: what follows it waits "
                "until it is committed or aborted (kafka-transactions.sh describe-producers "
                "says whose it is). It begins at %s",
                now - min(self._known[tp][1] for tp, _ in new) / 1000,
                ", ".join(f"{tp.topic}[{tp.partition}]@{offset}" for tp, offset in new),
            )
        self._told = places


async def high_watermarks(
    consumer: AIOKafkaConsumer, tps: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """Where partitions end for who reads everything; ask for this before `end_offsets`.

    aiokafka asks with the isolation level of the consumer's fetcher."""
    loose = copy.copy(consumer._fetcher)
    loose._isolation_level = READ_UNCOMMITTED
    ends: dict[TopicPartition, int] = await loose.end_offsets(list(tps), None)
    return ends


async def outside_transactions(
    consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int
) -> list[ConsumerRecord]:
    """The records between two offsets that belong to no transaction, so that they are certain,
    whatever becomes of those beside them."""
    found: list[ConsumerRecord] = []
    while begin < end:
        records = await _fetch(consumer, tp, begin, READ_COMMITTED)
        records._aborted_producers = _Everybody()
        found += records
        if records.next_fetch_offset == begin:
            break  # deleted meanwhile
        begin = records.next_fetch_offset
    return found


class _Everybody(set[int]):
    """All producers: each of their transactions is left out."""

    def __contains__(self, _: object) -> bool:
        return True


async def _began(consumer: AIOKafkaConsumer, tp: TopicPartition, stable: int) -> int:
    """The timestamp (ms) of the first record of the oldest open transaction; now, when there
    is none, or one that is later: clocks of producers may be ahead."""
    now = int(time.time() * 1000)
    try:
        first = next(await _fetch(consumer, tp, stable, READ_UNCOMMITTED, 1), None)
    except KafkaError as error:
        logger.debug("%s[%d]: the age is not known: %r", tp.topic, tp.partition, error)
        first = None
    return now if first is None or first.timestamp < 0 else min(now, first.timestamp)


async def _fetch(
    consumer: AIOKafkaConsumer,
    tp: TopicPartition,
    offset: int,
    isolation: int,
    size: int = FETCH_BYTES,
) -> TolerantRecords:
    """What was written at an offset, one batch at least. All of it is asked for; `isolation`
    is how it is read."""
    client = consumer._client
    node = client.cluster.leader_for_partition(tp)
    if node in (None, -1):
        raise KafkaError(f"{tp.topic}[{tp.partition}] has no leader")
    where = [(tp.topic, [(tp.partition, offset, size)])]
    request = FetchRequest(FETCH_MS, 1, size, READ_UNCOMMITTED, where)
    response = await client.send(node, request)
    answers = [answer for _, partitions in response.topics for answer in partitions]
    if not answers:
        raise KafkaError(f"{tp.topic}[{tp.partition}] was not answered for")
    _, code, *_, data = answers[0]
    if code:
        raise for_code(code)(f"{tp.topic}[{tp.partition}]")
    return TolerantRecords(tp, Fetched(data), None, offset, None, None, True, isolation)
