"""What was done with dead letters, as it stands in the compacted topic beside them.

A record's key is the place of a dead letter, its value a `Resolution`; no value: it was taken
back. Keys that begin with `lost:` are about other records: those that were deleted unread.
"""

import logging
import re
import sys
from typing import Literal, NamedTuple, Self

import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.kafka.losses import LOST
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.times import Time

logger = logging.getLogger(__name__)
_few = Few(logger, logging.WARNING, "that are no notes", most=20)

Action = Literal["replayed", "dropped"]

# What fits is no larger than what Kafka, or a table of SQLite, can hold.
PLACE = re.compile(r"([0-9]{1,9})[:@]([0-9]{1,18})")


class Place(NamedTuple):
    """Where a dead letter lies in its topic."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `3:17` or `3@17`; ValueError."""
        match = PLACE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no place: give PARTITION:OFFSET, such as 3:17")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """What was done with a dead letter."""

    #: The last thing that was done, and when (ISO 8601).
    action: Action
    at: Time
    #: The services that it is done for, separated by commas; None: all.
    service: str | None = None
    #: The dead letter's own timestamp. Another one at its place (the topic was made anew) is
    #: another dead letter.
    timestamp: int | None = None
    #: Those of the services for which it was dropped, and not replayed; None (one of an earlier
    #: version): what was done last was done for all.
    dropped: str | None = None

    def is_about(self, timestamp: int) -> bool:
        """Whether it was written for the dead letter that has this timestamp."""
        return self.timestamp is None or self.timestamp == timestamp

    @property
    def services(self) -> tuple[str, ...]:
        """The services that it names."""
        return tuple(self.service.split(",")) if self.service else ()

    def action_for(self, service: str) -> Action | None:
        """What was done for a service last; None: nothing yet."""
        if self.service is not None and service not in self.services:
            return None
        if self.dropped is None:
            return self.action
        return "dropped" if service in self.dropped.split(",") else "replayed"


def resolutions_topic(topic: str) -> str:
    """The topic of the resolutions about the dead letters of `topic`."""
    return f"{topic}-resolved"


encode_resolution = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Resolution)


def decode_resolution(value: bytes) -> Resolution:
    """The other way; ValueError."""
    resolution = _decoder.decode(value)
    # A hundred thousand of them share a few texts.
    service, dropped = (
        text and sys.intern(text) for text in (resolution.service, resolution.dropped)
    )
    return Resolution(
        resolution.action, sys.intern(resolution.at), service, resolution.timestamp, dropped
    )


def read_resolution(record: ConsumerRecord) -> tuple[Place, Resolution | None] | None:
    """The place that a record of the topic is about, and its resolution (None: it was taken
    back by hand). None when it is about no dead letter; also, with a warning in the log, when
    it can't be read: it counts for nothing."""
    if (record.key or b"").startswith(LOST):
        return None
    try:
        place = Place.parse((record.key or b"").decode())
        return place, None if record.value is None else decode_resolution(record.value)
    except (ValueError, RecursionError):  # also msgspec's and Unicode's
        if _few.room():
            logger.warning(
                "%s[%d]@%d is not a valid dead letter resolution: ignored",
                record.topic,
                record.partition,
                record.offset,
            )
        return None
