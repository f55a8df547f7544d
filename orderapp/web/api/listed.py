"""Orders and what the services found, as lists have them."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from orderapp.engine.dead_letters.read import State
from orderapp.engine.dead_letters.resolutions import Place
from orderapp.engine.observe.times import Time
from orderapp.models import PaymentStatus, known_time, normal_time
from orderapp.store import DeadLetterDocument, Document, OrderStory
from orderapp.web.api.known_letters import Told, told

OrderStatus = Literal["stored", "paid", "declined", "dead_letter"]


class Listed(msgspec.Struct, tag_field="type", frozen=True, kw_only=True):
    """What is kept of a record, and its place in Kafka. `kafka_timestamp` is in ms of Unix
    time, 0 if it is not known."""

    order_id: int
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: int


class _Finding(Listed, frozen=True, kw_only=True):
    reason: str
    amount: float
    country: str
    customer_id: int
    detected_at: Time | None
    created_at: Time | None
    rule_version: int
    detail: str


class ListedAlert(_Finding, tag="alert", frozen=True, kw_only=True):
    """A fraud alert. `reason` is the id of the rule, `rule_version` 0 if it is not known, and
    `detail` may be empty; `created_at` is the order's, and a time that is not known is null."""


class ListedShadow(_Finding, tag="shadow", frozen=True, kw_only=True):
    """What a rule in the shadow has found: no alert, but with the same fields."""


class ListedPayment(Listed, tag="payment", frozen=True, kw_only=True):
    """A payment. `country` and `created_at` are the order's; a time that is not known is null,
    and such a country empty."""

    payment_id: str
    status: PaymentStatus
    amount: float
    paid_at: Time | None
    attempts: int
    country: str
    created_at: Time | None


class ListedDeadLetter(Listed, tag="dead-letter", frozen=True, kw_only=True):
    """The last dead letter of an order. `service` names the services that gave it up, separated
    by commas, the latest first; `kafka_partition` and `kafka_offset` are its place in the
    dead-letter topic, and `place` the same in one. A time that is not known is null.

    `state` is `open` until all of the order's dead letters were replayed or dropped, and then
    what was done with the last one, at `resolved_at`; null when it is not known: Kafka can't be
    asked, or it is older than the last 10,000 of its partition. `open_for` are the services for
    which nothing was done yet."""

    place: str
    state: State | None
    open_for: Sequence[str]
    resolved_at: Time | None

    service: str
    error_class: str
    error_text: str
    attempts: int
    original_topic: str
    first_failure: Time | None
    last_failure: Time | None


class ListedOrder(Listed, tag="order", frozen=True, kw_only=True):
    """An order with what the services found. `stored_at` is null if it is not known, and
    `trace_id` empty if the order came without a trace."""

    customer_id: int
    amount: float
    country: str
    created_at: Time
    stored_at: Time | None
    trace_id: str
    alerts: Sequence[ListedAlert]
    payment: ListedPayment | None
    dead_letter: ListedDeadLetter | None
    order_status: OrderStatus


T = TypeVar("T", bound=Listed)

#: The fields of documents that are times, as text that is empty when they are not known.
_TIMES = {"created_at", "stored_at", "detected_at", "paid_at", "first_failure", "last_failure"}


def listed(story: OrderStory) -> ListedOrder:
    """An order as lists have it."""
    return ListedOrder(**fields_of(story))


def fields_of(story: OrderStory) -> dict[str, Any]:
    """The fields of a `ListedOrder`."""
    order, letter = _fields(story.order), story.dead_letter
    became = told(letter) if letter else None
    # Documents of the first version may hold what is no time.
    order["created_at"] = order["created_at"] or normal_time(None, story.order.kafka_timestamp)
    return {
        **order,
        "alerts": [shown(ListedAlert, alert) for alert in story.alerts],
        "payment": story.payment and shown(ListedPayment, story.payment),
        "dead_letter": letter and _dead_letter(letter, became),
        "order_status": _status(story, became),
    }


def _dead_letter(letter: DeadLetterDocument, became: Told | None) -> ListedDeadLetter:
    place = str(Place(letter.kafka_partition, letter.kafka_offset))
    state, open_for, at = became or Told(None, ())
    more = {"place": place, "state": state, "open_for": open_for, "resolved_at": at}
    return shown(ListedDeadLetter, letter, **more)


def _status(story: OrderStory, became: Told | None) -> str:
    """`stored`, then `paid` or `declined`; `dead_letter` while payment has given it up."""
    if story.payment is not None:
        return story.payment.status.lower()
    return "dead_letter" if became and "payment" in became.open_for else "stored"


def shown(kind: type[T], document: Document, **more: Any) -> T:
    """A document as this type has it, with what there is besides."""
    fields = _fields(document) | more
    return kind(**{name: fields[name] for name in kind.__struct_fields__})


def _fields(document: Document) -> dict[str, Any]:
    fields = msgspec.structs.asdict(document)
    for name in _TIMES & fields.keys():
        fields[name] = known_time(fields[name])
    return fields
