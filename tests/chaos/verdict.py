"""What became of the orders: an opinion apart from the app's own `reconcile`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import alerts
from tests.chaos.archive import Place
from tests.chaos.facts import Facts, place_of
from tests.chaos.orders import Order, status_of
from tests.chaos.stores import alert_kind

#: The lists of a verdict that have to be empty.
HARMS = (
    "lost", "double", "charged_though_aborted", "wrong_alerts", "wrong_documents", "given_up",
)  # fmt: skip


@dataclass
class Verdict:
    """Each list has a line for every order (or record) that something is wrong with."""

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    #: Orders of transactions that were not committed, and of which something has come.
    charged_though_aborted: list[str] = field(default_factory=list)
    wrong_alerts: list[str] = field(default_factory=list)
    wrong_documents: list[str] = field(default_factory=list)
    #: Orders that payment, fraud or analytics gave up: they are in the dead letters and not
    #: lost, but nothing that happens in a run is a reason for it. (Of the gateway's requests 1%
    #: get no answer, and each is made 8 times.)
    given_up: list[str] = field(default_factory=list)
    #: Documents made from another record than the order's last one: an older write came later.
    #: No harm is done while both say the same, as records of one order do here.
    stale: list[str] = field(default_factory=list)
    #: By rule the orders that had to have an alert, and those that have one; and how many have
    #: alerts of two versions: judged again after a crash, when the rule was changed meanwhile.
    sure_alerts: dict[str, int] = field(default_factory=dict)
    alerts_of: dict[str, int] = field(default_factory=dict)
    two_versions: int = 0
    #: Payments beyond one for each record of an order.
    redelivered: int = 0
    #: Orders that retention deleted unread, and of which nothing came.
    taken: int = 0

    @property
    def is_good(self) -> bool:
        return not any(getattr(self, name) for name in HARMS)


def judge(facts: Facts) -> Verdict:
    """Compare what was sent with what there is."""
    verdict = Verdict()
    verdict.lost += _never_arrived(facts)
    for order_id, places in facts.orders.items():
        order = facts.sent.orders[order_id]
        given_up = {s for place in places for service, _ in facts.dead.get(place, ())
                    for s in service.split(",")}  # fmt: skip
        if given_up:
            verdict.given_up.append(f"order {order_id} by {','.join(sorted(given_up))}")
        _judge_payment(verdict, facts, order, given_up)
        verdict.wrong_alerts += alerts.wrong(facts, order, given_up)
        _judge_document(verdict, facts, order, given_up)
        extra = len(facts.payments.get(order_id, ())) - len(places)
        verdict.redelivered += max(0, extra)
        verdict.stale += _stale(facts, order_id, places)
    verdict.sure_alerts, verdict.alerts_of = dict(facts.sure_alerts), dict(facts.alerts_of)
    verdict.two_versions = facts.two_versions
    verdict.lost += _missing_letters(facts)
    verdict.charged_though_aborted += _aborted(facts)
    verdict.wrong_documents += _unknown(facts)
    return verdict


def _never_arrived(facts: Facts) -> Iterator[str]:
    for order_id in sorted(facts.sent.confirmed - facts.orders.keys()):
        yield f"order {order_id}: confirmed, and not in the topic"
    for place in sorted(facts.sent.poison.keys() - facts.poison.keys()):
        yield f"bad record {place}: confirmed, and not in the topic"


def _were_taken(facts: Facts, topic: str, values: list[dict[str, Any]]) -> bool:
    """Whether analytics can have seen none of these alerts or payments."""
    return all(facts.was_taken(topic, place_of(value)) for value in values)


def _judge_payment(verdict: Verdict, facts: Facts, order: Order, given_up: set[str]) -> None:
    order_id = order["order_id"]
    payments = facts.payments.get(order_id, [])
    stored = facts.documents["payment"].get(order_id)
    if not payments:
        if facts.all_taken("orders", order_id):
            verdict.taken += 1
        elif "payment" not in given_up:
            verdict.lost.append(f"order {order_id}: no payment")
        return
    ids = {payment["payment_id"] for payment in payments}
    if len(ids) > 1:
        verdict.double.append(f"order {order_id}: payments {sorted(ids)}")
    right = status_of(order), order["amount"]
    if {(payment["status"], payment["amount"]) for payment in payments} != {right}:
        verdict.wrong_documents.append(f"order {order_id}: not {right} in {payments}")
    if stored is None:
        if not _were_taken(facts, "payments", payments):
            verdict.lost.append(f"order {order_id}: its payment is not stored")
    elif stored["payment_id"] not in ids or (stored["status"], stored["amount"]) != right:
        verdict.wrong_documents.append(f"order {order_id}: its payment is stored as {stored}")


def _judge_document(verdict: Verdict, facts: Facts, order: Order, given_up: set[str]) -> None:
    order_id = order["order_id"]
    stored = facts.documents["order"].get(order_id)
    if stored is None:
        if "analytics" not in given_up and not facts.all_taken("orders", order_id):
            verdict.lost.append(f"order {order_id}: not stored")
        return
    differs = [name for name in order if stored[name] != order[name]]
    if differs or _where(stored) not in [place[1:] for place in facts.orders[order_id]]:
        verdict.wrong_documents.append(f"order {order_id}: {order} is stored as {stored}")


def _stale(facts: Facts, order_id: int, places: list[Place]) -> Iterator[str]:
    made_from = {
        "order": places,
        "payment": [place_of(value) for value in facts.payments.get(order_id, ())],
    }
    for alert in facts.alerts.get(order_id, ()):
        made_from.setdefault(alert_kind(alert["reason"]), []).append(place_of(alert))
    for kind, known in made_from.items():
        stored = facts.documents.get(kind, {}).get(order_id)
        if stored and known and _where(stored) != max(known)[1:]:
            yield f"{kind} {order_id}: stored from {_where(stored)} of {sorted(known)}"


def _where(value: dict[str, Any]) -> tuple[int, int]:
    # A document does not know the epoch of its topic.
    return value["kafka_partition"], value["kafka_offset"]


def _missing_letters(facts: Facts) -> Iterator[str]:
    for place, value in facts.poison.items():
        letters = facts.dead.get(place, [])
        if not letters:
            if facts.was_taken("orders", place):
                continue
            yield f"bad record {place}: no dead letter"
        elif any(letter != value for _, letter in letters):
            yield f"bad record {place}: its dead letter has other bytes"


def _aborted(facts: Facts) -> Iterator[str]:
    """What came of orders of transactions that nobody committed. The topic shows it where the
    producer was not told, and its word counts where it was."""
    unconfirmed = facts.sent.transactional - facts.sent.confirmed - facts.orders.keys()
    for order_id in sorted(facts.sent.aborted | unconfirmed):
        if order_id in facts.payments:
            yield f"order {order_id} was charged"
        elif order_id in facts.alerts:
            yield f"order {order_id} has an alert"
        else:
            for kind, documents in facts.documents.items():
                if order_id in documents:
                    yield f"the {kind} of order {order_id} is stored"


def _unknown(facts: Facts) -> Iterator[str]:
    known = facts.orders.keys() | facts.sent.transactional
    for kind, documents in facts.documents.items():
        for order_id in sorted(documents.keys() - known):
            yield f"{kind} {order_id} is stored, and no such order was sent"
    for order_id in sorted(facts.payments.keys() - known):
        yield f"order {order_id} was charged, and never sent"
