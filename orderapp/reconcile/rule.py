"""The rule: what has to be there for an order, given all that the topics and the store have.

Only comparisons; nothing here reads anything. An order is everything with one order id. It may
have been sent more than once: the same again is fine. When the contents differ, each record
counts: a payment has to fit one of them, an alert is needed if any of them is risky and has to
fit a risky one, and the document is that of the last one in its partition.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from orderapp.reconcile.case import (
    ALERT,
    ALERT_DOCUMENT,
    ANALYTICS,
    ANY_DIGEST,
    DROPPED,
    EVERYONE,
    EXPIRED,
    FRAUD,
    MAYBE,
    NOT_KNOWN,
    ORDER,
    PAYING,
    PAYMENT,
    PAYMENT_DOCUMENT,
    REPLAY,
    RISKY,
    WINDOW,
    Bounds,
    Case,
    Fact,
    read_version,
)
from orderapp.reconcile.findings import WAITING

#: That of an alert that does not say which it was.
NO_VERSION = "0"


def judge(case: Case, orders: Bounds, alerts: Bounds, payments: Bounds) -> Iterator[str]:
    """Yield what disagrees and what is counted apart, by its name; nothing is a good sign."""
    if _is_usual(*case.kinds):
        return
    records, _, paid, dead, documents, *_ = case.kinds
    if len({payment.payment_id for payment in paid}) > 1:
        yield "order_charged_twice"
    if not records:
        if documents and orders.is_later(documents[0]):
            return
        if documents and orders.is_retired(documents[0]):
            yield "retired"
            return
        yield from _unknown(case, alerts, payments)
        return
    if len(records) > 1:
        yield from ["repeated"] * (sum(not order.state & REPLAY for order in records) - 1)
    given_up = _given_up(dead) if dead else (0, 0)
    if not documents:
        name = "expired" if _may_have_expired(records) else "order_without_document"
        yield from _missing(name, ANALYTICS, records, given_up)
    elif not orders.is_later(documents[0]) and not _fits(
        documents[0], [order for order in records if order.state & ANALYTICS]
    ):
        yield "document_differs"
    yield from _alerts(case, alerts, given_up)
    yield from _payments(case, payments, given_up)


def _is_usual(
    orders: list[Fact],
    alerts: list[Fact],
    payments: list[Fact],
    dead: list[Fact],
    order_documents: list[Fact],
    alert_documents: list[Fact],
    payment_documents: list[Fact],
    by_windows: list[Fact],
) -> bool:
    """Whether it is a safe order with one of everything, and all fit. Most orders are; the rest
    of the rule says the same of them, in five times as long."""
    if alerts or alert_documents or dead or by_windows:
        return False
    if not len(orders) == len(payments) == len(order_documents) == len(payment_documents) == 1:
        return False
    order, payment = orders[0], payments[0]
    return (
        order.state == EVERYONE
        and payment.state > 0
        and payment.amount == order.amount
        and _repeats(order_documents[0], order)
        and _repeats(payment_documents[0], payment)
    )


def _given_up(dead: Sequence[Fact]) -> tuple[int, int]:
    """The services that a dead letter waits for, and those whose dead letter was dropped."""
    waiting = dropped = 0
    for letter in dead:
        if letter.state & DROPPED:
            dropped |= letter.state
        else:
            waiting |= letter.state
    return waiting, dropped


def _missing(
    name: str, service: int, orders: Sequence[Fact], given_up: tuple[int, int]
) -> Iterator[str]:
    """What it means that a service has not done its work on an order."""
    waiting, dropped = given_up
    if waiting & service:
        yield WAITING[service]
    elif dropped & service:
        yield "dropped"
    elif any(order.state & service for order in orders):
        yield name


def _unknown(case: Case, alerts: Bounds, payments: Bounds) -> Iterator[str]:
    _, alerted, paid, _, order_documents, alert_documents, payment_documents, _ = case.kinds
    if any(map(alerts.is_sure, alerted)):
        yield "alert_without_order"
    if any(map(payments.is_sure, paid)):
        yield "payment_without_order"
    # A document is as sure as the record that it was made from.
    if (
        order_documents
        or any(map(alerts.is_sure, alert_documents))
        or any(map(payments.is_sure, payment_documents))
    ):
        yield "document_without_order"


def _alerts(case: Case, bounds: Bounds, given_up: tuple[int, int]) -> Iterator[str]:
    orders, alerts, documents = case.kinds[ORDER], case.kinds[ALERT], case.kinds[ALERT_DOCUMENT]
    by_reason: dict[str, tuple[list[Fact], list[Fact], list[Fact]]] = {}
    risky = [*(order for order in orders if order.state & RISKY), *case.kinds[WINDOW]]
    for place, facts in enumerate((risky, alerts, documents)):
        for fact in facts:
            for reason in dict.fromkeys(read_version(v)[0] for v in fact.reasons.split(",")):
                by_reason.setdefault(reason, ([], [], []))[place].append(fact)
    # An order counts once, however many of its alerts are missing.
    names = (
        _of_a_rule(reason, *facts, orders, bounds, given_up)
        for reason, facts in by_reason.items()
    )
    yield from dict.fromkeys(chain(*names))


def _of_a_rule(
    reason: str,
    risky: Sequence[Fact],
    alerts: Sequence[Fact],
    documents: Sequence[Fact],
    orders: Sequence[Fact],
    bounds: Bounds,
    given_up: tuple[int, int],
) -> Iterator[str]:
    """The same for one rule; `risky` are the orders that it finds, or may have found."""
    found = [
        (order, version, not text.startswith(MAYBE))
        for order in risky
        for text in order.reasons.split(",")
        for name, version in [read_version(text)]
        if name == reason
    ]
    sure_ones = [order for order, _, is_sure in found if is_sure]
    if sure_ones and not alerts and not any(map(bounds.is_retired, documents)):
        yield from _missing("missing_alert", FRAUD, sure_ones, given_up)
    # An older worker's alert does not name the version, and may be of any.
    right = {(order.content, v) for order, version, _ in found for v in (version, NO_VERSION)}
    sure = [one for one in alerts if bounds.is_sure(one) and not one.state & NOT_KNOWN]
    said = ((one, read_version(one.reasons)[1]) for one in sure)
    if any(one.state or (one.content, version) not in right for one, version in said):
        yield "wrong_alert"
    yield from _document("alert_without_document", documents, alerts, orders, bounds)


def _payments(case: Case, bounds: Bounds, given_up: tuple[int, int]) -> Iterator[str]:
    orders, payments = case.kinds[ORDER], case.kinds[PAYMENT]
    documents = case.kinds[PAYMENT_DOCUMENT]
    if not payments and not any(map(bounds.is_retired, documents)):
        yield from _missing("order_without_payment", PAYING, orders, given_up)
    if payments and not _are_right(payments, orders, bounds):
        yield "wrong_payment"
    yield from _document("payment_without_document", documents, payments, orders, bounds)


def _are_right(payments: Sequence[Fact], orders: Sequence[Fact], bounds: Bounds) -> bool:
    """Whether each payment is for an amount that was ordered, has a status that exists, and
    the gateway said the same each time that it was asked for an amount."""
    said: dict[float, int] = {}
    for payment in payments:
        if not payment.state or said.setdefault(payment.amount, payment.state) != payment.state:
            return False
    amounts = {order.amount for order in orders}
    return all(p.amount in amounts for p in payments if bounds.is_sure(p))


def _may_have_expired(orders: Sequence[Fact]) -> bool:
    """Whether the documents of an order may be gone: each of its records is that old, and what
    follows from a record has its timestamp."""
    return bool(orders) and all(order.state & EXPIRED for order in orders)


def _document(
    name: str,
    documents: Sequence[Fact],
    records: Sequence[Fact],
    orders: Sequence[Fact],
    bounds: Bounds,
) -> Iterator[str]:
    """The document of an alert or payment, compared with the records."""
    if not documents:
        if records and not _may_have_expired(orders):
            yield name
    elif bounds.is_later(documents[0]):
        return
    elif records:
        if not _fits(documents[0], records):
            yield "document_differs"
    elif not bounds.is_retired(documents[0]):
        yield "document_without_record"


def _fits(document: Fact, records: Sequence[Fact]) -> bool:
    """Whether a document was made from a record, and says what the last one of a partition
    says. (Of two that differ only in their times either will do: a worker that was held up
    may write the first one again.)"""
    last = {record.partition: record.content for record in records}
    return document.content in last.values() and any(_repeats(document, r) for r in records)


def _repeats(document: Fact, record: Fact) -> bool:
    """Whether a document was made from a record."""
    return (
        (document.digest == record.digest or document.digest == ANY_DIGEST)
        and document.offset == record.offset
        and document.partition == record.partition
    )
