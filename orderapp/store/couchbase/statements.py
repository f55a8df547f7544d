"""What the Couchbase store asks the query service, and the indexes that answer it.

Every statement needs one index, created when it is first asked, so that a bucket has none that
nobody uses, and names it: beside an index of another program the planner would read both.
Values are parameters; {} stands for the quoted name of the keyspace, which was checked.
"""

from typing import NamedTuple

from orderapp.store.documents import KINDS, Document, OrderDocument
from orderapp.store.queries import OrderQuery


class Statement(NamedTuple):
    """A statement, and the name of the index that it needs."""

    text: str
    needs: str


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
    "orderapp_counts": "(type, kafka_timestamp, country, status, amount)",
}


def create(index: str, replicas: int = 0) -> str:
    """The statement that creates an index, on so many index nodes more than one."""
    # Not IF NOT EXISTS, which servers before 7.1 do not know.
    copies = f' WITH {{{{"num_replica": {replicas}}}}}' if replicas else ""
    return f"CREATE INDEX `{index}` ON {{}} {INDEXES[index]}{copies}"


def build(index: str) -> str:
    """The statement that builds an index whose building was put off."""
    return f"BUILD INDEX ON {{}}(`{index}`)"


#: How far the indexes are, of all keyspaces that one may read.
STATES = (
    "SELECT i.name, i.state, i.keyspace_id, i.bucket_id, i.scope_id "
    "FROM system:indexes AS i WHERE i.name IN $names"
)


def _select(what: str, index: str, rest: str) -> Statement:
    hint = f"USE INDEX (`{index}` USING GSI)"
    return Statement(f"SELECT {what} FROM {{}} AS b {hint} WHERE {rest}", index)  # noqa: S608 - our own names


def _documents(kind: type[Document], rest: str, index: str) -> Statement:
    # The type is no parameter, since an index with a WHERE serves only a query that repeats it.
    fields = ", ".join(f"b.{name}" for name in kind.__struct_fields__)
    return _select(fields, index, f'b.type = "{kind.__struct_config__.tag}" AND {rest}')


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

_SPAN = "FLOOR(b.kafka_timestamp / 10000)"
_SLICE = "b.type = $type AND b.kafka_timestamp >= $start AND b.kafka_timestamp < $end"
_SUMS = "COUNT(*) AS documents, SUM(b.amount) AS amount"
#: Where a slice of time ends that begins at `start` and has so many entries; no row: it has
#: fewer.
EDGE = _select(
    "RAW b.kafka_timestamp",
    "orderapp_counts",
    f"{_SLICE} ORDER BY b.kafka_timestamp LIMIT 1 OFFSET $entries",
)
#: What is in a slice. All of these are answered by their index alone.
COUNTS = _select(
    f"b.country, b.status, {_SUMS}", "orderapp_counts", f"{_SLICE} GROUP BY b.country, b.status"
)
#: The same, in spans of 10 s.
SPANS = _select(
    f"b.country, b.status, {_SPAN} AS span, {_SUMS}",
    "orderapp_counts",
    f"{_SLICE} GROUP BY b.country, b.status, {_SPAN}",
)


#: The largest order id that can be asked for.
LARGEST_ID = 2**53 - 1


def _keys(where: str, index: str) -> Statement:
    # In this form the index finds exactly the entries of the page, also among many with equal
    # times. The bounds leave out orders of other programs, whose ids may be texts or missing:
    # nobody could page past them.
    return _select(
        "b.created_at, b.order_id",
        index,
        f"{where} AND ((b.created_at = $at AND b.order_id >= 0 AND b.order_id < $id) "
        f"OR (b.created_at < $at AND b.order_id BETWEEN 0 AND {LARGEST_ID})) "
        "ORDER BY b.created_at DESC, b.order_id DESC LIMIT $count",
    )


_ORDERS = _keys('b.type = "order"', "orderapp_orders_by_time")
_COUNTRY = _keys('b.type = "order" AND b.country = $country', "orderapp_orders_by_country")
_ALERTS = _keys('b.type = "alert"', "orderapp_alerts_by_time")
_DECLINED = _keys('b.type = "payment" AND b.status = "DECLINED"', "orderapp_declined_by_time")

ALL = (
    LATEST,
    *BY_ID.values(),
    EDGE,
    COUNTS,
    SPANS,
    _ORDERS,
    _COUNTRY,
    _ALERTS,
    _DECLINED,
)

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
