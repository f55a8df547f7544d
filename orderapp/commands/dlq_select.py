"""Which dead letters are meant: places and filters of the command line."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import click
import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.batches.framing import plain_key, unframed
from orderapp.engine.dead_letters.read import DeadLetter, Span, spans_of
from orderapp.engine.dead_letters.resolutions import Place
from orderapp.engine.dead_letters.resolve import Task
from orderapp.engine.observe.times import parse_time
from orderapp.settings import CONSUMERS

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_RANGE = re.compile(r"([0-9]{1,18})(-([0-9]{1,18})?)?")


class Range(NamedTuple):
    """Offsets from `first` up to and with `last`; None: without end."""

    first: int
    last: int | None

    def __contains__(self, offset: object) -> bool:
        assert isinstance(offset, int)  # noqa: S101 - for mypy
        return self.first <= offset and (self.last is None or offset <= self.last)


@dataclass(frozen=True)
class Selection:
    """What was asked for; all that is given has to fit."""

    places: tuple[Place, ...] = ()
    service: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    partitions: tuple[int, ...] = ()
    offsets: Range | None = None
    order: int | None = None
    #: Also those for which all was done.
    resolved: bool = False

    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        given = [
            getattr(self, field.name) for field in fields(self) if field.name != "resolved"
        ]
        return not any(value or value == 0 for value in given if value != ())

    def spans(self, there: Sequence[Span]) -> list[Span]:
        """What has to be read of what there is."""
        if self.places:
            return spans_of(self.places)
        first, last = self.offsets or (0, None)
        ends = {span.partition: span.end for span in there}
        return [
            Span(partition, first, ends.get(partition, 0) if last is None else last + 1)
            for partition in (sorted(set(self.partitions)) or ends)
        ]

    def is_about(self, letter: DeadLetter) -> bool:
        """Whether the letter is at one of the places, if any are given."""
        return not self.places or letter.place in self.places

    def task(self, letter: DeadLetter) -> Task | None:
        """The letter and the services that are meant; None: it is not meant."""
        services = letter.services if self.resolved else letter.open_for
        if not (self.resolved or letter.is_open):
            return None
        if self.service is not None:
            if self.service not in services:
                return None
            services = (self.service,)
        return Task(letter, services) if self._fits(letter) else None

    def _fits(self, letter: DeadLetter) -> bool:
        return (
            (not self.partitions or letter.place.partition in self.partitions)
            and (self.offsets is None or letter.place.offset in self.offsets)
            and (self.since is None or letter.last_failure >= self.since)
            and (self.until is None or letter.last_failure <= self.until)
            and (self.error is None or self.error.casefold() in error_of(letter).casefold())
            and (self.order is None or self.order == order_of(letter.record))
        )


def error_of(letter: DeadLetter) -> str:
    """What went wrong, as it is listed and looked for."""
    if letter.origin is None:
        return f"damaged: {letter.damage}"
    return f"{letter.origin.error_class}: {letter.origin.error_text}"


class _Order(msgspec.Struct):
    order_id: int


_decode = msgspec.json.Decoder(_Order).decode


def order_of(record: ConsumerRecord) -> int | None:
    """The order id: the key, or what the value says; None: neither does."""
    key = plain_key(record.key)
    if key.isdigit() and len(key) <= 16:
        return int(key)
    try:
        return _decode(unframed(record.value or b"")).order_id
    except Exception:
        return None


class _Type(click.ParamType):
    """A click type made of a function that raises ValueError."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def read_range(text: str) -> Range:
    """Read `5`, `5-9` or `5-`; ValueError."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no range of offsets: give 5, 5-9 or 5-")
    first = int(match[1])
    last = int(match[3]) if match[3] else None if match[2] else first
    if last is not None and last < first:
        raise ValueError(f"{text!r} is no range of offsets: it ends before it begins")
    return Range(first, last)


def read_moment(text: str) -> datetime:
    """Read an RFC 3339 time (UTC if it does not say), a date, or `2h` (ago); ValueError."""
    match = _DURATION.fullmatch(text)
    try:
        if match:
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        return parse_time(text, dates=True)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: give RFC 3339 (2026-11-23T18:00:00Z, or a date) or how long "
            "ago (30s, 15m, 2h, 7d, 1w)"
        ) from None


PLACE = _Type("place", Place.parse)
_RANGE_TYPE = _Type("range", read_range)
_MOMENT_TYPE = _Type("time", read_moment)

#: The options that make a selection.
FILTERS: list[Any] = [
    click.option(
        "--service", type=click.Choice(CONSUMERS), help="Those that this service gave up."
    ),
    click.option("--error", metavar="TEXT", help="Part of the error's class or text."),
    click.option("--since", type=_MOMENT_TYPE, help="Failed at this time (RFC 3339) or later."),
    click.option("--until", type=_MOMENT_TYPE, help="… or earlier; 2h is two hours ago."),
    click.option(
        "--partition",
        "partitions",
        type=click.IntRange(0, 2**31 - 1),
        multiple=True,
        help="In this partition of orders-dlq; may be repeated.",
    ),
    click.option("--offset", "offsets", type=_RANGE_TYPE, help="At these offsets: 5, 5-9, 5-."),
    click.option("--order", type=click.IntRange(0), metavar="ID", help="Of this order."),
]
