"""Records and documents become facts: what is compared of them, in a few numbers."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from aiokafka import ConsumerRecord

from orderapp.app import app
from orderapp.control import changes
from orderapp.engine.batches.records import is_for, is_replay
from orderapp.engine.observe.times import parse_time
from orderapp.gateways import DECLINED, PAID
from orderapp.judging import Rules, rules
from orderapp.models import DAY_MS, FraudAlert, Order, Payment
from orderapp.reconcile import case
from orderapp.reconcile.case import Fact
from orderapp.rule import Rule
from orderapp.store import AlertDocument, Document, OrderDocument, PaymentDocument

SERVICES = {"fraud": case.FRAUD, "payment": case.PAYING, "analytics": case.ANALYTICS}
STATUSES = {PAID: case.PAID, DECLINED: case.DECLINED}
TOPICS = ("orders", "fraud-alerts", "payments")
#: How long (ms) a worker may judge by what was changed, clocks that differ included.
CLOCKS_MS = 60_000

#: The id of a rule, and which version of it.
Version = tuple[str, int]
#: Partition and offset.
Place = tuple[int, int]


def facts_of(
    records: Sequence[ConsumerRecord], expired: int | None = None, windows_from: float = 0
) -> tuple[list[Fact], list[ConsumerRecord]]:
    """The facts of records of one partition, and the records that can't be decoded.

    `expired`: documents of orders from before this (ms) may have expired; `windows_from`:
    what rules with a window had to find before is not known."""
    topic = records[0].topic
    batch, bad = app.decoder(topic).batch(list(records))
    found = list(map(_FACTS[topic], batch.values, batch.records))
    if topic == "orders":
        _note_rules(batch.values, batch.records, found)
        if expired is not None:
            found = [
                f._replace(state=f.state | case.EXPIRED) if r.timestamp < expired else f
                for f, r in zip(found, batch.records, strict=True)
            ]
    elif topic == "fraud-alerts":
        found = [
            f._replace(state=f.state | case.NOT_KNOWN)
            if r.timestamp < windows_from and has_window(alert.reason)
            else f
            for f, r, alert in zip(found, batch.records, batch.values, strict=True)
        ]
    return found, [record for record, _ in bad]


def has_window(reason: str) -> bool:
    """Whether an alert is of a rule with a window."""
    return reason in rules.all and rules.all[reason].has_window


def in_force() -> list[tuple[float, Mapping[str, Rule]]]:
    """All rules as they were in force together, the present ones first, and until when (ms) an
    order may have been judged by them."""
    before = [(until + CLOCKS_MS, rules_then) for until, rules_then in changes.before]
    return [(float("inf"), rules.all), *before]


def _note_rules(
    orders: Sequence[Order], records: Sequence[ConsumerRecord], found: list[Fact]
) -> None:
    """Say of orders by which rules they are risky: by all versions by which they may have been
    judged (those that were in force since the order's record was written), or by some."""
    some = _by_order(rules, orders)
    every = {at: {rule_id for rule_id, _ in versions} for at, versions in some.items()}
    for until, before in changes.before:
        chosen = [at for at, r in enumerate(records) if r.timestamp <= until + CLOCKS_MS]
        if not chosen:
            continue
        hits = _by_order(_rules_of(before), [orders[at] for at in chosen])
        for index, at in enumerate(chosen):
            versions = hits.get(index, set())
            every[at] = every.get(at, set()) & {rule_id for rule_id, _ in versions}
            some[at] = some.get(at, set()) | versions
    for at, versions in some.items():
        if versions:
            fact, text = found[at], reasons(versions, every.get(at, ()))
            found[at] = fact._replace(state=fact.state | case.RISKY, reasons=text)


def reasons(versions: Iterable[Version], sure: Collection[str]) -> str:
    """`Fact.reasons` of an order that these versions find; `sure`: the rules that find it
    whichever version has judged it."""
    return ",".join(
        ("" if rule_id in sure else case.MAYBE) + case.version_of(rule_id, version)
        for rule_id, version in sorted(versions)
    )


def _by_order(judges: Rules, orders: Sequence[Order]) -> dict[int, set[Version]]:
    hits = groupby(judges.hits(orders), itemgetter(0))
    return {at: {(rule.id, rule.version) for _, rule, _ in of_one} for at, of_one in hits}


def _rules_of(in_force: Mapping[str, Rule]) -> Rules:
    made = Rules()
    made.put(in_force)
    return made


def _order_fact(order: Order, record: ConsumerRecord) -> Fact:
    state = _addressed_to(record) if is_replay(record.headers) else case.EVERYONE
    return _of_order(case.ORDER, state, (record.partition, record.offset), order)


def _addressed_to(record: ConsumerRecord) -> int:
    return case.REPLAY | sum(bit for name, bit in SERVICES.items() if is_for(record, name))


def _alert_fact(alert: FraudAlert, record: ConsumerRecord) -> Fact:
    state = 0 if alert.reason in rules.all else case.NO_REASON
    return _of_alert(case.ALERT, state, (record.partition, record.offset), alert)


def _payment_fact(payment: Payment, record: ConsumerRecord) -> Fact:
    return _of_payment(case.PAYMENT, (record.partition, record.offset), payment)


_FACTS: dict[str, Callable[[Any, ConsumerRecord], Fact]] = {
    "orders": _order_fact,
    "fraud-alerts": _alert_fact,
    "payments": _payment_fact,
}


# What is compared is alike of a record and of the document that is made from it.


def content_of(of: Order | OrderDocument | FraudAlert | AlertDocument) -> int:
    """`Fact.content` of an order, and of its alert."""
    return hash((of.customer_id, of.amount, of.country))


def _of_order(kind: int, state: int, place: Place, order: Order | OrderDocument) -> Fact:
    content = content_of(order)
    digest = hash((content, order.created_at))
    return Fact(order.order_id, kind, *place, state, order.amount, content, digest)


def _of_alert(kind: int, state: int, place: Place, alert: FraudAlert | AlertDocument) -> Fact:
    content, version = content_of(alert), case.version_of(alert.reason, alert.rule_version)
    digest = hash((content, alert.reason, alert.detected_at, alert.rule_version, alert.detail))
    return Fact(alert.order_id, kind, *place, state, 0.0, content, digest, reasons=version)


def _of_payment(kind: int, place: Place, payment: Payment | PaymentDocument) -> Fact:
    state, key, amount = STATUSES.get(payment.status, 0), payment.payment_id, payment.amount
    content = hash((key, payment.status, amount))
    digest = hash((content, payment.paid_at))
    return Fact(payment.order_id, kind, *place, state, amount, content, digest, key)


def oldest_of(records: Sequence[ConsumerRecord], before: int | None) -> int:
    """The timestamp (ms) of a partition's oldest record, given that of those before.

    It need not be the first: an alert or a payment has the timestamp of its order, and comes
    when it comes."""
    known = [] if before is None else [before]
    return min((at for at in (*known, *(r.timestamp for r in records)) if at > 0), default=0)


def document_facts(documents: Iterable[Any], oldest: Mapping[int, int]) -> Iterator[Fact]:
    """The facts of documents. `oldest`: the timestamps (ms) of the oldest records that the
    topic has in each partition.

    The record of an older one is not there any more, though its offset may be one of the
    topic's: the topic was deleted and made anew since."""
    first = min(oldest.values(), default=0)
    for document in documents:
        fact = document_fact(document)
        if 0 < document.kafka_timestamp < oldest.get(fact.partition, first):
            fact = fact._replace(state=fact.state | case.OLDER)
        yield fact


def document_fact(document: Document) -> Fact:
    """The fact of a document."""
    place = (document.kafka_partition, document.kafka_offset)
    if isinstance(document, OrderDocument):
        fact = _of_order(case.ORDER_DOCUMENT, 0, place, document)
        return fact._replace(digest=case.ANY_DIGEST) if _is_by_clock(document) else fact
    if isinstance(document, AlertDocument):
        return _of_alert(case.ALERT_DOCUMENT, 0, place, document)
    if isinstance(document, PaymentDocument):
        return _of_payment(case.PAYMENT_DOCUMENT, place, document)
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
