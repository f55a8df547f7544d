"""Dead letters as the API answers them."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.dead_letters.headers import Origin
from orderapp.engine.dead_letters.known import Known
from orderapp.engine.dead_letters.read import DeadLetter, State
from orderapp.engine.observe.times import Time
from orderapp.letters.select import order_of
from orderapp.web.api.shown_bytes import ShownBytes, shown_bytes

#: Headers of a letter that are shown, and bytes of each and of the key.
HEADERS, HEADER_BYTES = 100, 500


class _Letter(msgspec.Struct, frozen=True):
    place: str
    order_id: int | None
    state: State
    services: Sequence[str]
    open_for: Sequence[str]
    error_class: str | None


class ListedLetter(_Letter, frozen=True):
    """A dead letter in the list. It lies at `place`, PARTITION:OFFSET of the dead-letter topic.
    `services` gave it up; for those in `open_for` nothing was done yet. The error's class is
    null for one whose headers are damaged, and the text says how; it is cut after 200
    characters."""

    error_text: str
    attempts: int | None
    last_failure: Time
    #: When something was done with it last.
    resolved_at: Time | None


class LetterCounts(msgspec.Struct, frozen=True):
    """How many dead letters are in which state."""

    open: int
    replayed: int
    dropped: int


class ErrorGroup(msgspec.Struct, frozen=True):
    """The dead letters of one class of errors, or `damaged` ones."""

    error: str
    counts: LetterCounts


class LetterPage(msgspec.Struct, frozen=True):
    """A page of dead letters, newest first, of the last 10,000 of each partition.

    `total` fit; `next` is null at the end. `counts`, and `groups` for the 100 most frequent
    classes of errors, are of all states."""

    letters: Sequence[ListedLetter]
    next: str | None
    total: int
    counts: LetterCounts
    groups: Sequence[ErrorGroup]
    status: Literal["ok"] = "ok"


class LetterResolution(msgspec.Struct, frozen=True):
    """What was done with a dead letter last, when, and for which services."""

    action: Literal["replayed", "dropped"]
    at: Time
    services: Sequence[str]


class LetterHeader(msgspec.Struct, frozen=True):
    """A header of a record."""

    name: str
    value: ShownBytes | None


class LetterDetail(_Letter, frozen=True):
    """A dead letter with its headers (the first 100 of `header_count`), key and value. What its
    headers would say is null while they are damaged; `damage` says how. `objection` is why it
    can't be replayed. `original_timestamp` is in ms of Unix time."""

    error_text: str | None
    attempts: int | None
    original_topic: str | None
    original_partition: int | None
    original_offset: int | None
    original_timestamp: int | None
    first_failure: Time | None
    last_failure: Time
    damage: str | None
    resolution: LetterResolution | None
    objection: str | None
    headers: Sequence[LetterHeader]
    header_count: int
    key: ShownBytes | None
    value: ShownBytes | None


class OneLetter(msgspec.Struct, frozen=True):
    """One dead letter."""

    letter: LetterDetail
    status: Literal["ok"] = "ok"


#: The fields that the headers fill, and what they are called there.
_OF_ORIGIN = {
    "error_class": "error_class",
    "error_text": "error_text",
    "attempts": "attempts",
    "original_topic": "topic",
    "original_partition": "partition",
    "original_offset": "offset",
    "original_timestamp": "timestamp",
    "first_failure": "first_failure",
}


def listed_letter(letter: Known) -> ListedLetter:
    """A dead letter as the list has it."""
    text = letter.error.removeprefix(f"{letter.error_class or 'damaged'}: ")
    return ListedLetter(
        str(letter.place),
        letter.about,
        letter.state,
        letter.services,
        letter.open_for,
        letter.error_class,
        text,
        letter.attempts,
        letter.last_failure,
        letter.resolution.at if letter.resolution else None,
    )


def detailed_letter(letter: DeadLetter, objection: str | None) -> LetterDetail:
    """A dead letter in full."""
    record, origin, note = letter.record, letter.origin, letter.resolution
    return LetterDetail(
        place=str(letter.place),
        order_id=order_of(record),
        state=letter.state,
        services=letter.services,
        open_for=letter.open_for,
        last_failure=letter.last_failure.isoformat(),
        **_of_origin(origin),
        damage=letter.damage,
        resolution=LetterResolution(note.action, note.at, note.services) if note else None,
        objection=objection,
        headers=shown_headers(record, HEADERS),
        header_count=len(record.headers or ()),
        key=shown_bytes(record.key, HEADER_BYTES),
        value=shown_bytes(record.value),
    )


def shown_headers(record: ConsumerRecord, most: int) -> list[LetterHeader]:
    """The first headers of a record, with a part of their values."""
    headers = (record.headers or ())[:most]
    return [LetterHeader(name, shown_bytes(value, HEADER_BYTES)) for name, value in headers]


def _of_origin(origin: Origin | None) -> dict[str, Any]:
    return {name: origin and getattr(origin, field) for name, field in _OF_ORIGIN.items()}
