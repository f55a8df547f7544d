"""What is read from Couchbase: keys and counts by queries, documents by their ids.

Functions run in threads; each takes the client that is connected.
"""

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from orderapp.store import OrderPage, OrderQuery, OrderStory, Stats, StoreRejected
from orderapp.store.couchbase.statements import ACTIVITY, BY_ID, LATEST, TOP, TOTALS, keys
from orderapp.store.couchbase.totals import activity_of, countries_of
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
COUNT_LIMIT = 30.0

#: How many orders one answer of `page` looks at, at most: four gets for each.
WALK = 500


class _Key(msgspec.Struct):
    """Where an order is in the list; the API's cursors hold no longer text."""

    created_at: Annotated[str, msgspec.Meta(max_length=64)]
    order_id: int


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


def latest(client: "Client", limit: int) -> list[OrderStory]:
    """The newest orders: a query for them, then a get for what belongs to them."""
    end = time.monotonic() + LIMIT
    orders = list(_converted(client.ask(LATEST, {"count": max(limit, 0)}, end), OrderDocument))
    ids = [key for order in orders for key in _ids(order.order_id)[1:]]
    found = client.get(ids, end - time.monotonic())
    return [told for order in orders if (told := _told(order, found)) is not None]


def page(client: "Client", query: OrderQuery) -> OrderPage:
    """Keys from an index, then a get for their orders, of which those that match are kept."""
    end = time.monotonic() + LIMIT
    if query.status == "dead_letter":
        values = {"after": -1, "count": WALK + 1}
        rows = client.ask(BY_ID[DeadLetterDocument], values, end)
        # They have no index by the order's time. A few are sorted; if they are many they are
        # found among the orders.
        if len(rows) <= WALK:
            letters = _converted(rows, DeadLetterDocument)
            return _page_of(client, query, [letter.order_id for letter in letters], end)
    statement, parameters = keys(query)
    rows = client.ask(statement, parameters | {"count": WALK + 1}, end)
    walk = [(key.created_at, key.order_id) for key in _converted(rows, _Key)]
    return _walk(client, query, walk, end)


def _walk(
    client: "Client", query: OrderQuery, walk: list[tuple[str, int]], end: float
) -> OrderPage:
    found: list[OrderStory] = []
    looked_at = 0
    while looked_at < min(len(walk), WALK) and len(found) < query.limit:
        part = walk[looked_at : min(looked_at + max(query.limit, 100), WALK)]
        for told in _stories(client, [order_id for _, order_id in part], end):
            looked_at += 1
            if told is not None and _matches(told, query):
                found.append(told)
                if len(found) == query.limit:
                    break
    has_more = 0 < looked_at < len(walk)
    return OrderPage(found, walk[looked_at - 1] if has_more else None)


def _page_of(
    client: "Client", query: OrderQuery, order_ids: list[int], end: float
) -> OrderPage:
    """A page of no other orders than these."""
    after = query.after or TOP
    stories = [told for told in _stories(client, order_ids, end) if told is not None]
    found = [told for told in stories if _matches(told, query) and _key(told) < after]
    part = sorted(found, key=_key, reverse=True)[: max(query.limit, 0)]
    return OrderPage(part, _key(part[-1]) if 0 < len(part) < len(found) else None)


def totals(client: "Client", since: int) -> Stats:
    """What there is, counted by the indexes, entry by entry; `since` in s of Unix time."""
    end = time.monotonic() + COUNT_LIMIT
    countries = countries_of(client.ask(TOTALS, {}, end))
    spans = client.ask(ACTIVITY, {"since": since // 10 * 10_000}, end)
    return Stats(countries, activity_of(spans))


def scan(client: "Client", kind: type[D], after: int, limit: int) -> list[D]:
    """Documents of a type by order id, with all that was written before."""
    end = time.monotonic() + SCAN_LIMIT
    while True:
        values = {"after": after, "count": limit}
        rows = client.ask(BY_ID[kind], values, end, exact=True)
        documents = list(_converted(rows, kind))
        if documents or not rows:
            return documents
        after = rows[-1]["order_id"]  # none of these was ours


def _ids(order_id: int) -> tuple[str, str, str, str]:
    key = str(order_id)
    return key, f"alert::{key}", f"payment::{key}", f"dead-letter::{key}"


def _stories(client: "Client", order_ids: list[int], end: float) -> Iterator[OrderStory | None]:
    """The stories of these orders in their order, None where there is none that is ours."""
    ids = [key for order_id in order_ids for key in _ids(order_id)]
    found = client.get(ids, end - time.monotonic())
    for order_id in order_ids:
        try:
            yield _to_story(order_id, found)
        except msgspec.MsgspecError as error:
            _left_out(error)
            yield None


def _to_story(order_id: int, found: dict[str, bytes]) -> OrderStory | None:
    order = found.get(str(order_id))
    return None if order is None else _story_of(_decode_order(order), found)


def _story_of(order: OrderDocument, found: dict[str, bytes]) -> OrderStory:
    alert, payment, letter = (found.get(key) for key in _ids(order.order_id)[1:])
    return OrderStory(
        order=order,
        alerts=[] if alert is None else [_decode_alert(alert)],
        payment=None if payment is None else _decode_payment(payment),
        dead_letter=None if letter is None else _decode_dead_letter(letter),
    )


def _told(order: OrderDocument, found: dict[str, bytes]) -> OrderStory | None:
    try:
        return _story_of(order, found)
    except msgspec.MsgspecError as error:
        _left_out(error)
        return None


def _converted(rows: list[Any], kind: type[T]) -> Iterator[T]:
    """Those rows that have this form."""
    for row in rows:
        try:
            yield msgspec.convert(row, kind)
        except msgspec.ValidationError as error:
            _left_out(error)


def _left_out(error: Exception) -> None:
    # The bucket may hold somebody else's orders too; they must not end the dashboard.
    log.warning("Left out an order that is not ours: %s", error)


def _key(told: OrderStory) -> tuple[str, int]:
    return told.order.created_at, told.order.order_id


def _matches(told: OrderStory, query: OrderQuery) -> bool:
    if query.country not in (None, told.order.country):
        return False
    if query.status == "alert":
        return bool(told.alerts)
    return query.status in (None, told.status)
