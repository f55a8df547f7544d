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
from orderapp.store.couchbase.statements import BY_ID
from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    OrderDocument,
    PaymentDocument,
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
_decode_payment = msgspec.json.Decoder(PaymentDocument).decode
_decode_dead_letter = msgspec.json.Decoder(DeadLetterDocument).decode


def story(client: "Client", order_id: int) -> OrderStory | None:
    """The order and what belongs to it, in one round trip."""
    found = client.get(_ids(order_id), LIMIT)
    try:
        return _to_story(order_id, found)
    except msgspec.MsgspecError as error:
        raise StoreRejected(f"{client.where}: {error}") from error


def scan(client: "Client", kind: type[D], after: int, limit: int) -> list[D]:
    """Documents of a type by order id, with all that was written before."""
    end = time.monotonic() + SCAN_LIMIT
    while True:
        values = {"after": after, "count": limit}
        rows = client.ask(BY_ID[kind], values, end, exact=True)
        documents = list(converted(rows, kind))
        if documents or not rows:
            return documents
        after = rows[-1]["order_id"]  # none of these was ours


def stored(client: "Client", order_ids: Sequence[int]) -> set[int]:
    """Which of these orders are there."""
    return set(map(int, client.get([*map(str, order_ids)], LIMIT)))


def stories(client: "Client", order_ids: list[int], end: float) -> Iterator[OrderStory | None]:
    """The stories of these orders, in this order; None where there is none of ours."""
    ids = [key for order_id in order_ids for key in _ids(order_id)]
    found = client.get(ids, end - time.monotonic())
    for order_id in order_ids:
        answer = None
        with _only_ours():
            answer = _to_story(order_id, found)
        yield answer


def converted(rows: list[Any], kind: type[T]) -> Iterator[T]:
    """Those rows that have this type."""
    for row in rows:
        with _only_ours():
            yield msgspec.convert(row, kind)


def _ids(order_id: int) -> tuple[str, str, str, str]:
    key = str(order_id)
    return key, f"alert::{key}", f"payment::{key}", f"dead-letter::{key}"


def _to_story(order_id: int, found: dict[str, bytes]) -> OrderStory | None:
    order = found.get(str(order_id))
    return None if order is None else _story_of(_decode_order(order), found)


def _story_of(order: OrderDocument, found: dict[str, bytes]) -> OrderStory:
    alert, payment, dead_letter = (found.get(key) for key in _ids(order.order_id)[1:])
    return OrderStory(
        order=order,
        alerts=[] if alert is None else [_decode_alert(alert)],
        payment=None if payment is None else _decode_payment(payment),
        dead_letter=None if dead_letter is None else _decode_dead_letter(dead_letter),
    )


@contextmanager
def _only_ours() -> Iterator[None]:
    # The bucket may hold somebody else's orders too; they must not end the dashboard.
    try:
        yield
    except msgspec.MsgspecError as error:
        log.warning("Left out an order that is not ours: %s", error)
