"""The dead-letter topic: what can't be processed goes there unchanged, and says why.

A dead letter can be replayed: it is sent again to where it came from, with its headers and two
more that name the service it is for. Other services pass it by. When it fails again, it becomes
a new dead letter that remembers the first one's origin, first failure and attempts.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from orderapp.engine.batches.records import REPLAY_FOR, about, is_replay
from orderapp.engine.delivery.failure import Failure, moment
from orderapp.engine.observe.texts import one_line
from orderapp.engine.observe.times import parse_time
from orderapp.engine.observe.trace_headers import Headers

logger = logging.getLogger(__name__)

#: Every header that a dead letter carries, in this order; values are UTF-8 text.
HEADERS = (
    "service",
    "error-class",
    "error-text",
    "attempts",
    "original-topic",
    "original-partition",
    "original-offset",
    "original-timestamp",
    "first-failure",
    "last-failure",
)
#: What a replayed record carries before them: `REPLAY_FOR`, and the place of the dead letter.
REPLAY_OF = "replay-of"

_MOST_ATTEMPTS = 2**53 - 1
# What a number may be: one that Kafka can have, so that every store holds it. (-1 is Kafka's
# timestamp for "none".)
_RANGES = {
    "attempts": range(_MOST_ATTEMPTS + 1),
    "original-partition": range(2**31),
    "original-offset": range(2**63),
    "original-timestamp": range(-(2**63), 2**63),
}


class DamagedError(ValueError):
    """The headers of a dead letter are not what they should be."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the headers of a dead letter say. `timestamp` is the record's, in ms of Unix time;
    the failures' moments are ISO 8601."""

    services: tuple[str, ...]
    error_class: str
    error_text: str
    attempts: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    first_failure: str
    last_failure: str
    #: What the record's sender gave it.
    headers: tuple[tuple[str, bytes], ...]


def headers_for(record: ConsumerRecord, failure: Failure) -> list[tuple[str, bytes]]:
    """The headers of a dead letter; headers that the record came with are kept behind them."""
    before = _replayed(record)
    place = before or record
    attempts = failure.attempts + (before.attempts if before else 0)
    last = moment()
    values = (
        failure.service,
        type(failure.error).__name__,
        one_line(failure.error),
        str(min(attempts, _MOST_ATTEMPTS)),
        place.topic,
        str(place.partition),
        str(place.offset),
        str(place.timestamp),
        before.first_failure if before else (failure.first or last),
        last,
    )
    ours = [(name, text.encode()) for name, text in zip(HEADERS, values, strict=True)]
    return [*ours, *(before.headers if before else record.headers or ())]


def read_headers(headers: Headers) -> Origin:
    """What the headers of a dead letter say; `DamagedError` names the one that is wrong."""
    texts = {}
    for name, found in zip(HEADERS, [*headers, *[None] * len(HEADERS)], strict=False):
        if found is None or found[0] != name:
            raise DamagedError(f"the header {name!r} is missing or not at its place")
        try:
            texts[name] = found[1].decode()
        except (UnicodeDecodeError, AttributeError):  # Kafka allows null
            raise DamagedError(f"the header {name!r} is not text: {found[1]!r}") from None
    services = tuple(texts["service"].split(","))
    if not all(services):
        raise DamagedError(f"the header 'service' names none: {texts['service']!r}")
    return Origin(
        services,
        texts["error-class"],
        texts["error-text"],
        _number(texts, "attempts"),
        texts["original-topic"],
        _number(texts, "original-partition"),
        _number(texts, "original-offset"),
        _number(texts, "original-timestamp"),
        _moment(texts, "first-failure"),
        _moment(texts, "last-failure"),
        tuple(headers[len(HEADERS) :]),
    )


def replay_headers(record: ConsumerRecord, services: Sequence[str]) -> list[tuple[str, bytes]]:
    """The headers with which a dead letter is sent again, for these services only."""
    place = f"{record.topic}[{record.partition}]@{record.offset}"
    ours = [(REPLAY_FOR, ",".join(services).encode()), (REPLAY_OF, place.encode())]
    return [*ours, *record.headers]


def sent_at(record: ConsumerRecord) -> int:
    """The record's timestamp, in ms of Unix time; that of a replay is its original's."""
    before = _replayed(record) if record.headers else None
    return before.timestamp if before else int(record.timestamp)


def seen_since(record: ConsumerRecord) -> int:
    """Since when a record may have been processed, in ms of Unix time: since it was sent. A
    replay may have been since its original was sent or failed first, by the earlier clock;
    0 when nobody can tell."""
    if not is_replay(record.headers or ()):
        return int(record.timestamp)
    before = _replayed(record)
    if before is None:
        return 0
    failed = parse_time(before.first_failure, dates=True)
    return min(before.timestamp, int(failed.timestamp() * 1000))


def _replayed(record: ConsumerRecord) -> Origin | None:
    if not is_replay(record.headers or ()):
        return None
    try:
        return read_headers(record.headers[2:])
    except DamagedError:
        return None  # somebody made it by hand: it counts as a record of its own


def log_line(record: ConsumerRecord, failure: Failure) -> None:
    """Say in one line what went to the dead-letter topic."""
    logger.warning(
        "dead letter: %s could not process %s[%d]@%d key=%r at attempt %d: %s: %s",
        failure.service,
        record.topic,
        record.partition,
        record.offset,
        record.key[:64] if record.key else record.key,
        failure.attempts,
        type(failure.error).__name__,
        one_line(failure.error),
        extra=about(
            record,
            service=failure.service,
            attempt=failure.attempts,
            error=type(failure.error).__name__,
        ),
    )


def _number(texts: dict[str, str], name: str) -> int:
    text = texts[name]
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 20:
        raise DamagedError(f"the header {name!r} is not a number: {text[:64]!r}")
    number = int(text)
    if number not in _RANGES[name]:
        raise DamagedError(f"the header {name!r} is a number that can't be: {text}")
    return number


def _moment(texts: dict[str, str], name: str) -> str:
    try:
        parse_time(texts[name], dates=True)
    except ValueError as error:
        raise DamagedError(f"the header {name!r} is not a time: {error}") from None
    return texts[name]
