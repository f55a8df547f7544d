"""Pages of orders from Couchbase: keys from an index, then a get for their orders."""

import time
from typing import TYPE_CHECKING, Annotated

import msgspec

from orderapp.store import OrderPage, OrderQuery, OrderStory
from orderapp.store.couchbase.read import LIMIT, converted, stories
from orderapp.store.couchbase.statements import TOP, keys

if TYPE_CHECKING:
    from orderapp.store.couchbase.client import Client

#: How many orders one answer looks at, at most: five gets for each.
WALK = 500


class _Key(msgspec.Struct):
    """Where an order is in the list; the API's cursors hold no longer texts."""

    created_at: Annotated[str, msgspec.Meta(max_length=64)]
    order_id: int


def page(client: "Client", query: OrderQuery) -> OrderPage:
    """A page of orders, and where the next one begins."""
    end = time.monotonic() + LIMIT
    # No index has them by the order's time. A few are sorted; many are found among the orders.
    if query.status == "dead_letter" and len(query.given_up) <= WALK:
        return _page_of(client, query, sorted(query.given_up), end)
    walk, is_cut = _keys(client, query, WALK + 1, end)
    part = _walk(client, query, walk, end)
    if part.after is None and is_cut and 0 < len(walk) <= WALK:
        # Several alerts of an order took the places of others, which come on the next page.
        return OrderPage(part.stories, walk[-1])
    return part


def latest(client: "Client", limit: int) -> list[OrderStory]:
    """The newest orders."""
    end = time.monotonic() + LIMIT
    newest, _ = _keys(client, OrderQuery(), max(limit, 0), end)
    found = stories(client, [order_id for _, order_id in newest], end)
    return [story for story in found if story is not None]


def _keys(
    client: "Client", query: OrderQuery, count: int, end: float
) -> tuple[list[tuple[str, int]], bool]:
    """Where the orders are in the list that may match, newest first, and whether there may be
    more than these."""
    statement, parameters = keys(query)
    rows = client.ask(statement, parameters | {"count": count}, end)
    # An order may have several alerts.
    walk = dict.fromkeys((k.created_at, k.order_id) for k in converted(rows, _Key))
    kept = [key for key in walk if not query.is_before_since(key[0])]
    return kept, len(rows) >= count and len(kept) == len(walk)


def _page_of(
    client: "Client", query: OrderQuery, order_ids: list[int], end: float
) -> OrderPage:
    """A page of those of these orders that match."""
    begin = query.begin or TOP
    found = [s for s in stories(client, order_ids, end) if s is not None and query.is_about(s)]
    found = sorted((s for s in found if _key(s) < begin), key=_key, reverse=True)
    part = found[: max(query.limit, 0)]
    return OrderPage(part, _key(part[-1]) if 0 < len(part) < len(found) else None)


def _walk(
    client: "Client", query: OrderQuery, walk: list[tuple[str, int]], end: float
) -> OrderPage:
    """The same for orders with these keys, newest first."""
    found: list[OrderStory] = []
    looked_at = 0
    while looked_at < min(len(walk), WALK) and len(found) < query.limit:
        part = walk[looked_at : min(looked_at + max(query.limit, 100), WALK)]
        for story in stories(client, [order_id for _, order_id in part], end):
            looked_at += 1
            if story is None or _is_listed_before(story, query, walk[looked_at - 1][0]):
                continue
            if query.is_about(story):
                found.append(story)
                if len(found) == query.limit:
                    break
    has_more = 0 < looked_at < len(walk)
    return OrderPage(found, walk[looked_at - 1] if has_more else None)


def _key(story: OrderStory) -> tuple[str, int]:
    return story.order.created_at, story.order.order_id


def _is_listed_before(story: OrderStory, query: OrderQuery, created_at: str) -> bool:
    """Whether this is the entry of one of its older alerts: it is in the list once."""
    by_alerts = query.status == "alert" and not query.is_narrow
    return by_alerts and any(a.created_at > created_at for a in story.alerts)
