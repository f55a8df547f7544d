"""Orders as the API answers them."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from orderapp.store import (
    AlertDocument,
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
    """One step in an order's timeline; `at` is None when the time is not known."""

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


def listed(story: OrderStory) -> ListedOrder:
    """An order as lists show it."""
    return ListedOrder(*msgspec.structs.astuple(story.order), **_found(story))


def detailed(story: OrderStory, fraud: Fraud, timeline: Sequence[Step]) -> OrderDetail:
    """An order with its story."""
    order = msgspec.structs.astuple(story.order)
    return OrderDetail(*order, **_found(story), fraud=fraud, timeline=timeline)


def _found(story: OrderStory) -> dict[str, Any]:
    return {
        "alerts": story.alerts,
        "payment": story.payment,
        "dead_letter": story.dead_letter,
        "order_status": story.status,
    }
