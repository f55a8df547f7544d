"""Records and documents become facts: what is compared of them, in a few numbers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import ConsumerRecord

from orderapp.app import app
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.records import is_for, is_replay
from orderapp.engine.dead_letters.headers import DamagedError, read_headers
from orderapp.engine.dead_letters.notes import decode_note, encode_note, read_note
from orderapp.engine.dead_letters.read import Letter
from orderapp.engine.observe.times import parse_time
from orderapp.gateways import DECLINED, PAID
from orderapp.models import DAY_MS, FraudAlert, Order, Payment
from orderapp.reconcile import case
from orderapp.reconcile.case import Fact
from orderapp.services.fraud import REASON, is_risky
from orderapp.store import AlertDocument, Document, OrderDocument, PaymentDocument

SERVICES = {"fraud": case.FRAUD, "payment": case.PAYING, "analytics": case.ANALYTICS}
STATUSES = {PAID: case.PAID, DECLINED: case.DECLINED}
TOPICS = ("orders", "fraud-alerts", "payments")

#: Where a record was first: topic, partition, offset.
Origin = tuple[str, int, int]
#: Partition and offset of a dead letter, and the note about it; None: it was taken back.
Resolution = tuple[int, int, bytes | None]

#: Partition, offset and timestamp of a dead letter that is no order, and its services,
#: separated by commas; none are known when its headers are damaged.
OtherLetter = tuple[int, int, int, str]

_NAMES = {bit: name for name, bit in SERVICES.items()}


def facts_of(
    records: Sequence[ConsumerRecord],
) -> tuple[list[Fact], list[ConsumerRecord]]:
    """The facts of records of one partition, and the records that can't be decoded."""
    topic = records[0].topic
    batch, bad = app.decoder(topic).batch(list(records))
    return list(_FACTS[topic](batch)), [record for record, _ in bad]


def place_of(record: ConsumerRecord) -> Origin:
    """Where a record, or what it is a replay of, was first."""
    if is_replay(record.headers):
        try:
            origin = read_headers(record.headers[2:])
        except DamagedError:
            pass
        else:
            return origin.topic, origin.partition, origin.offset
    return record.topic, record.partition, record.offset


def _order_facts(batch: Batch[Order]) -> Iterator[Fact]:
    partition, kind = batch.partition, case.ORDER
    for order, record in zip(batch.values, batch.records, strict=True):
        state = _addressed_to(record) if is_replay(record.headers) else case.EVERYONE
        if is_risky(order):
            state |= case.RISKY
        content = hash((order.customer_id, order.amount, order.country))
        yield Fact(
            order.order_id,
            kind,
            partition,
            record.offset,
            state,
            order.amount,
            content,
            hash((content, order.created_at)),
        )


def _addressed_to(record: ConsumerRecord) -> int:
    return case.REPLAY | sum(bit for name, bit in SERVICES.items() if is_for(record, name))


def _alert_facts(batch: Batch[FraudAlert]) -> Iterator[Fact]:
    partition = batch.partition
    for alert, record in zip(batch.values, batch.records, strict=True):
        content = hash((alert.customer_id, alert.amount, alert.country))
        digest = hash((content, alert.reason, alert.detected_at))
        state = 0 if alert.reason == REASON else case.NO_REASON
        yield Fact(
            alert.order_id, case.ALERT, partition, record.offset, state, 0.0, content, digest
        )


def _payment_facts(batch: Batch[Payment]) -> Iterator[Fact]:
    partition, kind = batch.partition, case.PAYMENT
    for payment, record in zip(batch.values, batch.records, strict=True):
        content = hash((payment.payment_id, payment.status, payment.amount))
        yield Fact(
            payment.order_id,
            kind,
            partition,
            record.offset,
            STATUSES.get(payment.status, 0),
            payment.amount,
            content,
            hash((content, payment.paid_at)),
            payment.payment_id,
        )


_FACTS: dict[str, Callable[[Any], Iterator[Fact]]] = {
    "orders": _order_facts,
    "fraud-alerts": _alert_facts,
    "payments": _payment_facts,
}


def dead_letter(record: ConsumerRecord) -> tuple[Origin, list[Fact]]:
    """Where a dead letter comes from, and if it is an order a fact for each service that gave
    it up. Raises `DamagedError`."""
    origin = read_headers(record.headers)
    place = (origin.topic, origin.partition, origin.offset)
    if origin.topic != "orders":
        return place, []
    try:
        order = app.decoder("orders").one(record)
    except Exception:
        return place, []
    letter = Fact(order.order_id, case.DEAD_LETTER, record.partition, record.offset)
    return place, [
        letter._replace(state=SERVICES[name], content=record.timestamp)
        for name in set(origin.services) & SERVICES.keys()
    ]


def other_letter(record: ConsumerRecord) -> OtherLetter:
    """What is kept of a dead letter that is no order."""
    services = ",".join(Letter.of(record).services)
    return record.partition, record.offset, record.timestamp, services


def document_facts(documents: Iterable[Any], oldest: Mapping[int, int]) -> Iterator[Fact]:
    """The facts of documents. `oldest`: the timestamps (ms) of the first records that the topic
    has in each partition.

    The record of an older one is not there any more, though its offset may be one of the
    topic's: the topic was deleted and made anew since."""
    first = min(oldest.values(), default=0)
    for document in documents:
        fact = document_fact(document)
        if 0 < document.kafka_timestamp < oldest.get(fact.partition, first):
            fact = fact._replace(state=fact.state | case.OLDER)
        yield fact


def document_fact(document: Document) -> Fact:
    """The fact of a document; its hashes are made as those of its record."""
    place = (document.kafka_partition, document.kafka_offset)
    match document:
        case PaymentDocument(payment_id=payment_id, status=status, amount=amount):
            content = hash((payment_id, status, amount))
            digest = hash((content, document.paid_at))
            kind, state = case.PAYMENT_DOCUMENT, STATUSES.get(status, 0)
            return Fact(
                document.order_id, kind, *place, state, amount, content, digest, payment_id
            )
        case OrderDocument(customer_id=customer_id, amount=amount, country=country):
            content = hash((customer_id, amount, country))
            digest = hash((content, document.created_at))
            if _is_by_clock(document):
                digest = case.ANY_DIGEST
            kind = case.ORDER_DOCUMENT
            return Fact(document.order_id, kind, *place, 0, amount, content, digest)
        case AlertDocument(customer_id=customer_id, amount=amount, country=country):
            content = hash((customer_id, amount, country))
            digest = hash((content, document.reason, document.detected_at))
            kind = case.ALERT_DOCUMENT
            return Fact(document.order_id, kind, *place, 0, 0.0, content, digest)
    raise TypeError(f"no fact is made of a {type(document).__name__}")


def _is_by_clock(document: OrderDocument) -> bool:
    """Whether the order's record had a timestamp that counted for nothing when it was stored:
    the time of the order may then be that of the worker's clock (`models.normal_time`)."""
    if document.kafka_timestamp < 0:
        return True
    try:
        stored_ms = parse_time(document.stored_at).timestamp() * 1000
    except ValueError:  # an older document does not say
        return False
    return document.kafka_timestamp > stored_ms + DAY_MS


def resolution(record: ConsumerRecord) -> Resolution | None:
    """What a note says, read as `dlq` reads it; None if it can't be read."""
    read = read_note(record)
    if read is None:
        return None
    place, note = read
    return *place, None if note is None else encode_note(note)


def action_for(service: int, timestamp: int, note: bytes | None) -> str | None:
    """What was done for a service with the dead letter that has this timestamp, given the note
    that is at its place."""
    told = note and decode_note(note)
    return told.action_for(_NAMES[service]) if told and told.is_about(timestamp) else None


def done_with(services: str, timestamp: int, note: bytes | None) -> str:
    """Whether a dead letter that is no order is still open, or was replayed or dropped, as
    `Letter.is_open` has it."""
    told = note and decode_note(note)
    if not told or not told.is_about(timestamp):
        return "open"
    done = (
        [told.action_for(name) for name in services.split(",")] if services else [told.action]
    )
    if None in done:
        return "open"
    return "dropped" if "dropped" in done else "replayed"
