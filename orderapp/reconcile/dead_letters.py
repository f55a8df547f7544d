"""What `reconcile` keeps of dead letters, and of what was done with them."""

from dataclasses import dataclass

from aiokafka import ConsumerRecord

from orderapp import topics
from orderapp.app import app
from orderapp.engine.batches.records import is_replay
from orderapp.engine.dead_letters.headers import DamagedError, read_headers
from orderapp.engine.dead_letters.read import DeadLetter, Resolvable
from orderapp.engine.dead_letters.resolutions import Resolution as Note
from orderapp.engine.dead_letters.resolutions import (
    decode_resolution,
    encode_resolution,
    read_resolution,
)
from orderapp.reconcile import case
from orderapp.reconcile.case import Fact
from orderapp.reconcile.facts import SERVICES

#: Topics of orders.
OF_ORDERS = (topics.orders.name, topics.orders_by_customer.name)
#: Where a record was first: topic, partition, offset.
Origin = tuple[str, int, int]
#: Partition and offset of a dead letter, and the note about it; None: it was taken back.
Resolution = tuple[int, int, bytes | None]
#: Partition, offset and timestamp of a dead letter that is no order, and its services,
#: separated by commas; none are known when its headers are damaged.
NoOrder = tuple[int, int, int, str]

_NAMES = {bit: name for name, bit in SERVICES.items()}


def origin_of(record: ConsumerRecord) -> Origin:
    """Where a record, or what it is a replay of, was first."""
    if is_replay(record.headers):
        try:
            origin = read_headers(record.headers[2:])
        except DamagedError:
            pass
        else:
            return origin.topic, origin.partition, origin.offset
    return record.topic, record.partition, record.offset


def dead_letter(record: ConsumerRecord) -> tuple[Origin, list[Fact]]:
    """Where a dead letter comes from, and if it is an order a fact for each service that gave
    it up. Raises `DamagedError`."""
    origin = read_headers(record.headers)
    place = (origin.topic, origin.partition, origin.offset)
    if origin.topic not in OF_ORDERS:
        return place, []
    try:
        order = app.decoder(origin.topic).one(record)
    except Exception:  # whatever a decoder has against it
        return place, []
    fact = Fact(
        order.order_id,
        case.DEAD_LETTER,
        record.partition,
        record.offset,
        content=record.timestamp,
    )
    services = set(origin.services) & SERVICES.keys()
    return place, [fact._replace(state=SERVICES[name]) for name in services]


def no_order(record: ConsumerRecord) -> NoOrder:
    """What is kept of a dead letter that is no order."""
    services = ",".join(DeadLetter.of(record).services)
    return record.partition, record.offset, record.timestamp, services


def resolution(record: ConsumerRecord) -> Resolution | None:
    """What a note says, read as `dlq` reads it; None if it can't be read."""
    read = read_resolution(record)
    if read is None:
        return None
    place, note = read
    return *place, None if note is None else encode_resolution(note)


def action_for(service: int, timestamp: int, note: bytes | None) -> str | None:
    """What was done for a service with the dead letter that has this timestamp, given the note
    that is at its place."""
    told = note and decode_resolution(note)
    return told.action_for(_NAMES[service]) if told and told.is_about(timestamp) else None


@dataclass
class _NoOrder(Resolvable):
    services: tuple[str, ...]
    resolution: Note | None


def done_with(services: str, timestamp: int, note: bytes | None) -> str:
    """Whether a dead letter that is no order is still open, or was replayed or dropped."""
    told = decode_resolution(note) if note else None
    is_ours = told is not None and told.is_about(timestamp)
    names = tuple(services.split(",")) if services else ()
    return _NoOrder(names, told if is_ours else None).state
