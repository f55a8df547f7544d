"""Pages of orders from the SQLite store: a bounded walk down an index, newest first.

An index for every filter would make every write dearer. Most of what is asked for (paid, a
country) is a good part of all orders and found along the way; what is rare (declined, alert,
dead letter) has keys of its own to walk.
"""

import json
import sqlite3

from orderapp.store.queries import OrderPage, OrderQuery
from orderapp.store.sqlite.read import story
from orderapp.store.sqlite.search import TOP, search

#: How many keys one answer looks at, at most; they take 10 ms.
WALK = 5_000
#: Up to how many given orders are sorted rather than searched for.
FEW = 2_000


def _walk(source: str, matches: str = "1", where: str = "1") -> str:
    """A statement for keys `k`, newest first, each with whether its order `o` matches.

    The condition is a column, so that LIMIT bounds what is read and not what is found. Joins
    are LEFT or CROSS, which SQLite does not reorder: the keys come first."""
    select = (
        f"SELECT k.created_at, k.order_id, o.country = ifnull(?3, o.country) AND {matches} "  # noqa: S608 - our own names
        f"FROM {source} WHERE {where}"
    )
    # (created_at, order_id) < (?1, ?2) in two halves, which SQLite merges. Of a row value it
    # would use only the first part, and read all orders of that moment again for each page.
    return (
        f"{select} AND k.created_at = ?1 AND k.order_id < ?2 "
        f"UNION ALL {select} AND k.created_at < ?1 ORDER BY 1 DESC, 2 DESC LIMIT ?4"
    )


def _of_orders(joined: str = "", matches: str = "1") -> str:
    # The keys are in the orders' own index, with the country.
    return _walk("orders AS o" + joined, matches).replace("k.", "o.")


_PAYMENTS = " LEFT JOIN payments AS p ON p.order_id = o.order_id"
_ORDERS = " LEFT JOIN orders AS o ON o.order_id = k.order_id"

# An order with several alerts is in the list once, by its latest.
_LATER_ALERT = """SELECT 1 FROM alerts AS a WHERE a.order_id = k.order_id
    AND (a.created_at, a.reason) > (k.created_at, k.reason)"""

WALKS = {
    None: _of_orders(),
    "stored": _of_orders(_PAYMENTS, "p.order_id IS NULL"),
    "paid": _of_orders(_PAYMENTS, "p.status = 'PAID'"),
    "declined": _walk("payments AS k" + _ORDERS, where="k.status = 'DECLINED'"),
    "alert": _walk("alerts AS k" + _ORDERS, where=f"NOT EXISTS ({_LATER_ALERT})"),
    "dead_letter": _of_orders(),
}
# No index has them by the order's time. A few are sorted; many are found among the orders.
FEW_OF_MANY = _walk(
    "json_each(?5) AS j CROSS JOIN orders AS k ON k.order_id = j.value" + _ORDERS
)

_NONE_THERE = "SELECT ifnull(max(orders), 0) <= 0 FROM countries WHERE country = ?"


def page(connection: sqlite3.Connection, query: OrderQuery) -> OrderPage:
    """A page of orders, and where the next one begins."""
    if query.country is not None and _holds(connection, _NONE_THERE, query.country):
        return OrderPage([], None)
    if query.is_narrow:
        return search(connection, query)
    walk, values = WALKS[query.status], [*(query.begin or TOP), query.country, WALK + 1]
    if query.status == "dead_letter" and len(query.given_up) <= FEW:
        walk, values = FEW_OF_MANY, [*values, json.dumps([*query.given_up])]
    limit = max(query.limit, 0)
    found: list[int] = []
    last: tuple[str, int] | None = None
    # One row more than is looked at shows whether there is more.
    rows = connection.execute(walk, values)
    for looked_at, (created_at, order_id, matches) in enumerate(rows):
        if query.is_before_since(created_at):
            last = None
            break
        if len(found) == limit or looked_at == WALK:
            break
        last = created_at, order_id
        if matches and _is_meant(order_id, query):
            found.append(order_id)
    else:
        last = None
    stories = (story(connection, order_id) for order_id in found)
    return OrderPage([found for found in stories if found is not None], last)


def _is_meant(order_id: int, query: OrderQuery) -> bool:
    if query.status == "dead_letter":
        return order_id in query.given_up
    return query.status != "stored" or order_id not in query.given_up


def _holds(connection: sqlite3.Connection, question: str, value: object) -> bool:
    return bool(connection.execute(question, (value,)).fetchone()[0])
