"""What the Couchbase store asks the query service, and the indexes that answer it.

Every statement needs one index, created when it is first asked, so that a bucket has none that
nobody uses. Values are parameters; {} stands for the bucket name, which was checked.
"""

from typing import NamedTuple

from orderapp.store.documents import KINDS, Document, OrderDocument
from orderapp.store.queries import OrderQuery


class Statement(NamedTuple):
    """A statement, and the name of the index that it needs."""

    text: str
    needs: str


# Not IF NOT EXISTS, which servers before 7.1 do not know.
INDEXES = {
    "orderapp_orders_by_time": '(created_at DESC, order_id DESC) WHERE type = "order"',
    "orderapp_orders_by_country": (
        '(country, created_at DESC, order_id DESC) WHERE type = "order"'
    ),
    "orderapp_alerts_by_time": '(created_at DESC, order_id DESC) WHERE type = "alert"',
    "orderapp_declined_by_time": (
        '(created_at DESC, order_id DESC) WHERE type = "payment" AND status = "DECLINED"'
    ),
    "orderapp_by_id": "(type, order_id)",
    "orderapp_totals": "(type, country, status, amount)",
    "orderapp_activity": "(type, kafka_timestamp)",
}


def create(index: str) -> str:
    """The statement that creates an index."""
    return f"CREATE INDEX `{index}` ON {{}} {INDEXES[index]}"


def _documents(kind: type[Document], rest: str, index: str) -> Statement:
    # The type is no parameter, since an index with a WHERE serves only a query that repeats it.
    fields = ", ".join(f"b.{name}" for name in kind.__struct_fields__)
    where = f'b.type = "{kind.__struct_config__.tag}" AND {rest}'
    return Statement(f"SELECT {fields} FROM {{}} AS b WHERE {where}", index)  # noqa: S608


LATEST = _documents(
    OrderDocument,
    "b.created_at IS NOT MISSING ORDER BY b.created_at DESC, b.order_id DESC LIMIT $count",
    "orderapp_orders_by_time",
)
BY_ID = {
    kind: _documents(
        kind, "b.order_id > $after ORDER BY b.order_id LIMIT $count", "orderapp_by_id"
    )
    for kind in KINDS
}
# Both are answered by their index alone.
TOTALS = Statement(
    "SELECT b.type, b.country, b.status, COUNT(*) AS documents, SUM(b.amount) AS amount "
    'FROM {} AS b WHERE b.type IN ["order", "alert", "payment"] '
    "GROUP BY b.type, b.country, b.status",
    "orderapp_totals",
)
ACTIVITY = Statement(
    "SELECT b.type, FLOOR(b.kafka_timestamp / 10000) AS span, COUNT(*) AS documents "
    'FROM {} AS b WHERE b.type IN ["order", "alert"] AND b.kafka_timestamp >= $since '
    "GROUP BY b.type, FLOOR(b.kafka_timestamp / 10000)",
    "orderapp_activity",
)


#: The largest order id that can be asked for.
LARGEST_ID = 2**53 - 1


def _keys(where: str, index: str) -> Statement:
    # The index uses the first condition on created_at. The last condition leaves out orders of
    # other programs, whose ids may be texts or missing: nobody could page past them.
    return Statement(
        f"SELECT b.created_at, b.order_id FROM {{}} AS b WHERE {where} "  # noqa: S608 - our own names
        "AND b.created_at <= $at AND (b.created_at < $at OR b.order_id < $id) "
        f"AND b.order_id BETWEEN 0 AND {LARGEST_ID} "
        "ORDER BY b.created_at DESC, b.order_id DESC LIMIT $count",
        index,
    )


_ORDERS = _keys('b.type = "order"', "orderapp_orders_by_time")
_COUNTRY = _keys('b.type = "order" AND b.country = $country', "orderapp_orders_by_country")
_ALERTS = _keys('b.type = "alert"', "orderapp_alerts_by_time")
_DECLINED = _keys('b.type = "payment" AND b.status = "DECLINED"', "orderapp_declined_by_time")

ALL = (LATEST, *BY_ID.values(), TOTALS, ACTIVITY, _ORDERS, _COUNTRY, _ALERTS, _DECLINED)

#: Sorts after every time.
TOP = ("\uffff", 0)


def keys(query: OrderQuery) -> tuple[Statement, dict[str, str | int]]:
    """Which keys to walk for a page, newest first: the fewest that include all that match."""
    at, order_id = query.after or TOP
    parameters: dict[str, str | int] = {"at": at, "id": order_id}
    if query.status == "declined":
        return _DECLINED, parameters
    if query.status == "alert":
        return _ALERTS, parameters
    if query.country is not None:
        return _COUNTRY, parameters | {"country": query.country}
    return _ORDERS, parameters
