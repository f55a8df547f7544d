"""Which dead letters are meant: those at some places, or those that fit filters."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple

import msgspec
from aiokafka import ConsumerRecord

from orderapp import topics
from orderapp.engine.batches.framing import plain_key, unframed
from orderapp.engine.dead_letters.read import DeadLetter, Span, spans_of
from orderapp.engine.dead_letters.resolutions import Place
from orderapp.engine.dead_letters.resolve import Task
from orderapp.models import LARGEST


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
        ends = {span.partition: span.end for span in there}
        if self.places:
            return spans_of(place for place in self.places if place.partition in ends)
        first, last = self.offsets or (0, None)
        return [
            Span(partition, first, ends.get(partition, 0) if last is None else last + 1)
            for partition in (sorted(set(self.partitions)) or ends)
        ]

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
            and (self.error is None or self.error.casefold() in letter.error.casefold())
            and (self.order is None or self.order == order_of(letter.record))
        )


class _Order(msgspec.Struct):
    order_id: int


_BY_CUSTOMER = ("original-topic", topics.orders_by_customer.name.encode())
_decode = msgspec.json.Decoder(_Order).decode


def order_of(record: ConsumerRecord) -> int | None:
    """The order id: the key, or what the value says; None: neither does."""
    if _names_order(key := plain_key(record.key)) and not _is_by_customer(record):
        return _possible(int(key))
    try:
        return _possible(_decode(unframed(record.value or b"")).order_id)
    except Exception:
        return None


def named_order(record: ConsumerRecord) -> int | None:
    """The same, and None for what only its value says: it may be poison, in the name of an
    order that is well."""
    is_named = _names_order(plain_key(record.key)) or _is_by_customer(record)
    return order_of(record) if is_named else None


def _names_order(key: bytes) -> bool:
    return key.isdigit() and len(key) <= 16


def _is_by_customer(record: ConsumerRecord) -> bool:
    """Whether its key is the customer's id: an order that was sent on."""
    return _BY_CUSTOMER in (record.headers or ())


def _possible(order_id: int) -> int | None:
    """The id, if it is one that every store holds."""
    return order_id if 0 <= order_id <= LARGEST else None
