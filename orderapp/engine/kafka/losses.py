"""Records that Kafka deleted before a group had read them: noted for good, counted, and told.

A note stands in the compacted topic beside the dead letters (`notes`), under a key of its own,
before anything behind the gap is read: so the commit that passes the gap comes later, and
whoever is killed in between writes the same note again.

Offsets are not records: the ends of transactions take some, and compaction leaves gaps. So a
number of offsets is how many records it were at most, and in a topic without both how many.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.offsets import Clients
from orderapp.engine.observe.times import iso, moment_of

logger = logging.getLogger(__name__)

#: How the key of a note about lost records begins.
LOST = b"lost:"
#: Seconds in which Kafka has to say when the first record that is left was sent.
PATIENCE = 5.0


class Loss(msgspec.Struct, frozen=True, omit_defaults=True):
    """Offsets of a partition, from `first` up to and without `next`, that were never read."""

    group: str
    topic: str
    partition: int
    first: int
    next: int
    #: Which of the topics that had this name (`topic_ids`); empty: not known.
    topic_id: str = ""
    #: Whether all of the topic was deleted, and not only its oldest records.
    with_topic: bool = False
    #: In ms of Unix time, as far as known: of the last record that was read before, and of the
    #: first one that is left.
    after: int | None = None
    before: int | None = None

    @property
    def records(self) -> int:
        """How many, at most."""
        return self.next - self.first

    @property
    def key(self) -> bytes:
        """The note's: the same for the same loss, found again."""
        place = (self.group, self.topic, self.partition, self.first, self.topic_id)
        return LOST + ":".join(map(str, place)).encode()

    def __str__(self) -> str:
        how = "with their topic" if self.with_topic else "by retention (or by hand)"
        when = [
            f"{word} {iso(moment_of(at))}"
            for word, at in (("after", self.after), ("before", self.before))
            if at is not None
        ]
        return (
            f"{self.topic}[{self.partition}]: up to {self.records} records were deleted {how} "
            f"before the group {self.group} had read them: offsets {self.first} to "
            f"{self.next - 1}, sent {' and '.join(when) or 'at a time that is not known'}"
        )


encode_loss = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Loss).decode


def read_losses(records: Iterable[ConsumerRecord], found: dict[bytes, Loss]) -> None:
    """Take the notes about lost records of some records of the topic of notes into `found`, by
    their keys. One without a value takes back what was noted under its key."""
    for record in records:
        if not (record.key or b"").startswith(LOST):
            continue
        found.pop(record.key, None)
        try:
            if record.value is not None:
                found[record.key] = _decode(record.value)
        except msgspec.DecodeError:
            place = (record.topic, record.partition, record.offset)
            logger.warning("%s[%d]@%d is not a valid record of a loss: ignored", *place)


def lost_records(losses: Iterable[Loss]) -> dict[tuple[str, str], int]:
    """Records by group and topic; what was noted twice counts once."""
    places: defaultdict[tuple[str, str, int, str], list[Loss]] = defaultdict(list)
    for loss in losses:
        places[loss.group, loss.topic, loss.partition, loss.topic_id].append(loss)
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (group, topic, *_), of_place in sorted(places.items()):
        reached = 0
        for loss in sorted(of_place, key=lambda loss: loss.first):
            found[group, topic] += max(0, loss.next - max(loss.first, reached))
            reached = max(reached, loss.next)
    return dict(found)


async def first_left(
    cluster: Cluster, losses: Collection[Loss]
) -> Mapping[tuple[str, int], int | None]:
    """The timestamps (ms) of the first records that are left behind the gaps, by topic and
    partition; what Kafka does not say soon is left out."""
    clients = Clients(cluster, PATIENCE)
    try:
        await clients.start()
        ends = (await clients.bounds({loss.topic for loss in losses})).ends
        places = {(TopicPartition(loss.topic, loss.partition), loss.next) for loss in losses}
        stamps = await clients.timestamps({p for p in places if p[1] < ends.get(p[0], 0)}, ends)
        return {(tp.topic, tp.partition): at for (tp, _), at in stamps.items()}
    except (KafkaError, OSError, TimeoutError) as error:
        logger.debug("the time of the first record that is left is not known: %r", error)
        return {}
    finally:
        await let_go(clients.close())
