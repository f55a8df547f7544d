"""Pages of the orders of one customer or one trace, from the SQLite store.

They are a few among all, so that far more keys are looked at for a page than otherwise: in
SQLite itself, which takes 100 ms for as many as `WALK`, and by the index of time alone.
"""

import sqlite3

from orderapp.store.queries import OrderPage, OrderQuery, OrderStory
from orderapp.store.sqlite.read import story

#: How many keys one answer looks at, at most, and how many of the orders that these lead to.
WALK, MOST = 50_000, 500
#: Every BLOB sorts after every text.
TOP = (b"", 0)


def _walk(limit: str) -> str:
    # As in `pages`: a row value would read all orders of a moment again for each page.
    keys = "SELECT created_at, order_id, customer_id, trace_id FROM orders WHERE"
    return (
        f"SELECT created_at, order_id FROM ({keys} created_at = ?1 AND order_id < ?2 "  # noqa: S608 - our own names
        f"UNION ALL {keys} created_at < ?1 ORDER BY 1 DESC, 2 DESC LIMIT {limit})"
    )


FOUND = (
    f"{_walk('?3')} WHERE customer_id = ifnull(?4, customer_id) "
    "AND trace_id = ifnull(?5, trace_id) LIMIT ?6"
)
#: The last key of a walk, and one more if there is one.
END = f"{_walk('?3 + 1')} LIMIT 2 OFFSET ?3 - 1"


def search(connection: sqlite3.Connection, query: OrderQuery) -> OrderPage:
    """A page of orders, and where the next one begins."""
    start, limit = query.begin or TOP, max(query.limit, 0)
    asked = (*start, WALK, query.customer_id, query.trace_id, MOST + 1)
    stories: list[OrderStory] = []
    last: tuple[str, int] | None = None
    for looked_at, key in enumerate(connection.execute(FOUND, asked).fetchall()):
        if query.is_before_since(key[0]):
            return OrderPage(stories, None)
        if len(stories) == limit or looked_at == MOST:
            return OrderPage(stories, last)
        last = key
        found = story(connection, key[1])
        if found is not None and query.is_about(found):
            stories.append(found)
    end = connection.execute(END, (*start, WALK)).fetchall()
    has_more = len(end) == 2 and not query.is_before_since(end[1][0])
    return OrderPage(stories, end[0] if has_more else None)
