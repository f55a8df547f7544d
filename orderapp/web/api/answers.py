"""The bodies of the API's answers."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderapp.store import (
    Activity,
    AlertDocument,
    CountryStats,
    DeadLetterDocument,
    OrderDocument,
    OrderStory,
    PaymentDocument,
)

OrderStatus = Literal["stored", "paid", "declined", "dead_letter"]


class ListedOrder(OrderDocument, tag="order", frozen=True, kw_only=True):
    """An order's document with what the services found."""

    alerts: Sequence[AlertDocument]
    payment: PaymentDocument | None
    dead_letter: DeadLetterDocument | None
    order_status: OrderStatus


class Fraud(msgspec.Struct, frozen=True):
    """What the fraud service found; `UNKNOWN`: it gave the order up, or Kafka can't be asked
    how far it is."""

    verdict: Literal["ALERT", "CLEAR", "PENDING", "UNKNOWN"]
    reason: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One step of an order's way; `at` is None when the time is not known."""

    step: Literal["created", "accepted", "judged", "paid", "declined", "dead_letter", "stored"]
    at: str | None
    detail: str


class OrderDetail(ListedOrder, tag="order", frozen=True, kw_only=True):
    """An order with its whole story."""

    fraud: Fraud
    timeline: Sequence[Step]


class Orders(msgspec.Struct, frozen=True):
    """The last orders, newest first."""

    orders: Sequence[ListedOrder]
    status: Literal["ok"] = "ok"


class Page(msgspec.Struct, frozen=True):
    """A page of orders, newest first. It may hold fewer than asked for although there is a
    `next`, which is null at the end."""

    orders: Sequence[ListedOrder]
    next: str | None
    status: Literal["ok"] = "ok"


class OneOrder(msgspec.Struct, frozen=True):
    """One order."""

    order: OrderDetail
    status: Literal["ok"] = "ok"


class Progress(msgspec.Struct, frozen=True):
    """How far a service is: records that wait, and the age of the oldest of them. `group` and
    `lag` are null when no consumer group of the service is known to Kafka."""

    group: str | None
    lag: int | None
    oldest_seconds: float | None


class Rates(msgspec.Struct, frozen=True):
    """Orders/s over the last minutes."""

    one: float = msgspec.field(name="1m")
    five: float = msgspec.field(name="5m")
    fifteen: float = msgspec.field(name="15m")


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Totals, rates and progress; what only Kafka knows is null when it can't be asked.

    `countries` are the 100 with the most orders; if there are more, a last one, `all others`,
    sums up the rest. `open_transactions` has, by topic, the age in seconds of the oldest
    transaction that holds records back, where there is one. `dead_letters` are the open ones,
    among the last 10,000 of each partition.
    """

    status: Literal["ok"] = "ok"
    at: str
    orders: int
    alerts: int
    paid: int
    declined: int
    fraud_rate: float
    revenue: float
    countries: Sequence[CountryStats]
    orders_per_second: Rates
    activity: Sequence[Activity]
    services: dict[str, Progress] | None
    open_transactions: dict[str, float] | None
    dead_letters: int | None


def listed(story: OrderStory) -> ListedOrder:
    """An order as lists show it."""
    return ListedOrder(
        *msgspec.structs.astuple(story.order),
        alerts=story.alerts,
        payment=story.payment,
        dead_letter=story.dead_letter,
        order_status=story.status,  # type: ignore[arg-type]
    )


def detailed(story: OrderStory, fraud: Fraud, timeline: Sequence[Step]) -> OrderDetail:
    """An order with its story."""
    return OrderDetail(
        *msgspec.structs.astuple(story.order),
        alerts=story.alerts,
        payment=story.payment,
        dead_letter=story.dead_letter,
        order_status=story.status,  # type: ignore[arg-type]
        fraud=fraud,
        timeline=timeline,
    )
