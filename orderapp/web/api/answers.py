"""Orders as the API answers them."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderapp.engine.observe.times import Time
from orderapp.store import OrderStory
from orderapp.web.api.listed import ListedOrder, ListedShadow, fields_of, shadow_of


class Fraud(msgspec.Struct, frozen=True):
    """What the fraud service found; `CLEAR`: all active rules have judged, those with a window
    too. `UNKNOWN`: it gave the order up, an active rule could not judge it (which of those with
    a window is not noticed), or Kafka can't be asked how far it is."""

    verdict: Literal["ALERT", "CLEAR", "PENDING", "UNKNOWN"]
    reason: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One step in an order's timeline; `at` is null when the time is not known. `shadow`: it
    was judged by a rule in the shadow, which raises no alert."""

    step: Literal["created", "accepted", "judged", "paid", "declined", "dead_letter", "stored"]
    at: Time | None
    detail: str
    shadow: bool = False


class OrderDetail(ListedOrder, tag="order", frozen=True, kw_only=True):
    """An order with its whole story. `shadow` is what rules in the shadow have found: these are
    no alerts."""

    fraud: Fraud
    shadow: Sequence[ListedShadow]
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


def detailed(story: OrderStory, fraud: Fraud, timeline: Sequence[Step]) -> OrderDetail:
    """An order with its story."""
    shadow = shadow_of(story)
    return OrderDetail(**fields_of(story), fraud=fraud, shadow=shadow, timeline=timeline)
