"""Orders as the API answers them."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderapp.app import settings
from orderapp.documents import attempts_in
from orderapp.engine.observe.times import Time
from orderapp.models import Attempt
from orderapp.store import OrderStory
from orderapp.web.api.listed import ListedOrder, ListedPayment, ListedShadow, fields_of, shown
from orderapp.web.api.parameters import TRACE_ID
from orderapp.web_settings import TRACE_PLACE


class Fraud(msgspec.Struct, frozen=True):
    """What the fraud service found; `CLEAR`: all active rules have judged, those with a window
    too. `UNKNOWN`: it gave the order up, an active rule could not judge it, or Kafka can't be
    asked how far it is."""

    verdict: Literal["ALERT", "CLEAR", "PENDING", "UNKNOWN"]
    reason: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One step in an order's timeline; `at` is null when the time is not known. `shadow`: it
    was judged by a rule in the shadow, which raises no alert."""

    step: Literal["created", "accepted", "judged", "paid", "declined", "dead_letter", "stored"]
    at: Time | None
    detail: str
    shadow: bool = False


class PaymentDetail(ListedPayment, tag="payment", frozen=True, kw_only=True):
    """A payment with the times of its attempts. `attempt_times` has the last 50 of them, the
    oldest first: the last one was answered, those before it failed. It is empty after a single
    attempt, and for a payment of an older orderapp."""

    attempt_times: Sequence[Attempt]


class OrderDetail(ListedOrder, tag="order", frozen=True, kw_only=True):
    """An order with its whole story. `shadow` is what rules in the shadow have found: these are
    no alerts. `trace_url` is where its trace is shown (ORDERAPP_TRACE_URL); null where nobody
    says it, and without a trace."""

    payment: PaymentDetail | None
    fraud: Fraud
    shadow: Sequence[ListedShadow]
    timeline: Sequence[Step]
    trace_url: str | None


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
    fields = fields_of(story)
    if story.payment is not None:
        times = attempts_in(story.payment.attempt_times)
        fields["payment"] = shown(PaymentDetail, story.payment, attempt_times=times)
    return OrderDetail(
        **fields,
        fraud=fraud,
        shadow=[shown(ListedShadow, found) for found in story.in_shadow],
        timeline=timeline,
        trace_url=trace_url(story.order.trace_id),
    )


def trace_url(trace_id: str) -> str | None:
    """Where a trace is shown. What the store holds may be another program's: only an id."""
    if settings.web.trace_url is None or not TRACE_ID.fullmatch(trace_id):
        return None
    return settings.web.trace_url.replace(TRACE_PLACE, trace_id)
