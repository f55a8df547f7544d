"""What is read from Couchbase: keys by queries, documents by their ids.

Functions run in threads; each takes the client that is connected.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from orderapp.store import OrderStory, StoreRejected
from orderapp.store.couchbase import alerts
from orderapp.store.couchbase.statements import BY_ID
from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    Finding,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)

if TYPE_CHECKING:
    from orderapp.store.couchbase.client import Client

log = logging.getLogger(__name__)

T = TypeVar("T")
D = TypeVar("D", bound=Document)

# Seconds, for all queries and gets of one read.
LIMIT = 1.7
SCAN_LIMIT = 10.0

_decode_order = msgspec.json.Decoder(OrderDocument).decode
_decode_alert = msgspec.json.Decoder(AlertDocument).decode
_decode_shadow = msgspec.json.Decoder(ShadowDocument).decode
_decode_payment = msgspec.json.Decoder(PaymentDocument).decode
_decode_dead_letter = msgspec.json.Decoder(DeadLetterDocument).decode


def story(client: "Client", order_id: int) -> OrderStory | None:
    """The order and what belongs to it, in one round trip, but for a reason that is new."""
    found = _get(client, [order_id], time.monotonic() + LIMIT, whole=True)
    try:
        return _to_story(order_id, found, client.reasons)
    except msgspec.MsgspecError as error:
        raise StoreRejected(f"{client.where}: {error}") from error


def scan(client: "Client", kind: type[D], after: int, limit: int) -> list[D]:
    """Documents of a type by order id, with all that was written before."""
    end = time.monotonic() + SCAN_LIMIT
    while True:
        values = {"after": after, "count": limit}
        rows = client.ask(BY_ID[kind], values, end, exact=True)
        if issubclass(kind, Finding) and 0 < limit <= len(rows):
            rows = _completed(client, kind, rows, end)
        documents = sorted(converted(rows, kind), key=lambda d: (d.order_id, d.id))
        if documents or not rows:
            return documents
        after = rows[-1]["order_id"]  # none of these was ours


def stored(client: "Client", order_ids: Sequence[int]) -> set[int]:
    """Which of these orders are there."""
    return set(map(int, client.get([*map(str, order_ids)], LIMIT)))


def stories(client: "Client", order_ids: list[int], end: float) -> Iterator[OrderStory | None]:
    """The stories of these orders, in this order; None where there is none of ours."""
    found = _get(client, order_ids, end)
    for order_id in order_ids:
        answer = None
        with _only_ours():
            answer = _to_story(order_id, found, client.reasons)
        yield answer


def converted(rows: list[Any], kind: type[T]) -> Iterator[T]:
    """Those rows that have this type."""
    for row in rows:
        with _only_ours():
            yield msgspec.convert(row, kind)


def _completed(
    client: "Client", kind: type[Document], rows: list[Any], end: float
) -> list[Any]:
    """These, with all of the last one's order, of which some may have been cut off."""
    last = rows[-1]["order_id"]
    values = {"after": last - 1, "count": 2 * alerts.MOST}
    more = client.ask(BY_ID[kind], values, end, exact=True)
    before = [row for row in rows if row["order_id"] != last]
    return before + [row for row in more if row["order_id"] == last]


def _get(
    client: "Client", order_ids: Sequence[int], end: float, *, whole: bool = False
) -> dict[str, bytes]:
    """What there is of these orders; `whole`: with what rules in the shadow have found."""
    while True:
        ids = [key for order_id in order_ids for key in _ids(order_id, client.reasons)]
        if whole:
            ids += [key for i in order_ids for key in _shadow_ids(i, client.reasons)]
        found = client.get([alerts.REASONS, *ids], end - time.monotonic())
        reasons = alerts.read(found.get(alerts.REASONS)).reasons[: alerts.MOST]
        if client.reasons == (known := tuple(sorted({*client.reasons, *reasons}))):
            return found
        client.reasons = known


def _ids(order_id: int, reasons: Sequence[str]) -> list[str]:
    key = str(order_id)
    return [key, f"payment::{key}", f"dead-letter::{key}", *_alert_ids(order_id, reasons)]


def _alert_ids(order_id: int, reasons: Sequence[str]) -> list[str]:
    before = alerts.old_id(order_id)
    return [before, *(f"{before}::{reason}" for reason in reasons)]


def _shadow_ids(order_id: int, reasons: Sequence[str]) -> list[str]:
    return [f"shadow::{order_id}::{reason}" for reason in reasons]


def _to_story(
    order_id: int, found: dict[str, bytes], reasons: Sequence[str]
) -> OrderStory | None:
    order = found.get(str(order_id))
    return None if order is None else _story_of(_decode_order(order), found, reasons)


def _story_of(
    order: OrderDocument, found: dict[str, bytes], reasons: Sequence[str]
) -> OrderStory:
    _, payment, dead_letter = map(found.get, _ids(order.order_id, ())[:3])
    kept = (found.get(key) for key in _alert_ids(order.order_id, reasons))
    by_reason = {a.reason: a for a in map(_decode_alert, filter(None, kept))}
    shadow = (found.get(key) for key in _shadow_ids(order.order_id, sorted(reasons)))
    return OrderStory(
        order=order,
        alerts=[by_reason[reason] for reason in sorted(by_reason)],
        payment=None if payment is None else _decode_payment(payment),
        dead_letter=None if dead_letter is None else _decode_dead_letter(dead_letter),
        shadow=[_decode_shadow(value) for value in shadow if value is not None],
    )


@contextmanager
def _only_ours() -> Iterator[None]:
    # The bucket may hold somebody else's orders too; they must not end the dashboard.
    try:
        yield
    except msgspec.MsgspecError as error:
        log.warning("Left out an order that is not ours: %s", error)
