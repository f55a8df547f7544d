"""What the Couchbase store asks the query service, and the indexes that answer it.

Every statement needs one index, created when it is first asked, so that a bucket has none that
nobody uses, and names it: beside an index of another program the planner would read both.
Values are parameters; {} stands for the quoted name of the keyspace, which was checked.

Other programs' documents may have our types and fields, but not our ids. So each index has
among its keys an expression that tells ours apart: their type (`_own_type`) or their order id
(`_own_id`). A condition on it is one on a key of the index, like any other: limits, ranges and
sums reach the index, while one that compares ids beside the keys has every entry read.
"""

from typing import NamedTuple

from orderapp.models import LARGEST
from orderapp.store.documents import KINDS
from orderapp.store.queries import OrderQuery


class Statement(NamedTuple):
    """A statement, and the name of the index that it needs."""

    text: str
    needs: str


def _own_id(kind: str, of: str = "") -> str:
    """The order id of a document of this type if its id is ours, else null. `of`: what the
    document is called in the statement, and a dot."""
    order_id = f"TO_STRING({of}order_id)"
    own = order_id if kind == "order" else f'"{kind}::" || {order_id}'
    # An order may have several alerts.
    more = f' WHEN {own} || "::" || {of}reason THEN {of}order_id' if kind == "alert" else ""
    return f"CASE META({of[:-1]}).id WHEN {own} THEN {of}order_id{more} END"


def _own_type(of: str = "") -> str:
    """The type of a document if its id is ours, else MISSING: an index that begins with it has
    no others."""
    order_id = f"TO_STRING({of}order_id)"
    own = f'{of}type || "::" || {order_id}'
    return (
        f"CASE META({of[:-1]}).id "
        f'WHEN CASE {of}type WHEN "order" THEN {order_id} ELSE {own} END THEN {of}type '
        f'WHEN {own} || "::" || {of}reason THEN {of}type ELSE MISSING END'
    )


INDEXES = {
    "orderapp_orders": f'(created_at DESC, {_own_id("order")} DESC) WHERE type = "order"',
    "orderapp_countries": (
        f'(country, created_at DESC, {_own_id("order")} DESC) WHERE type = "order"'
    ),
    "orderapp_customers": (
        f'(customer_id, created_at DESC, {_own_id("order")} DESC) WHERE type = "order"'
    ),
    "orderapp_traces": (
        f'(trace_id, created_at DESC, {_own_id("order")} DESC) WHERE type = "order"'
    ),
    "orderapp_alerts": f'(created_at DESC, {_own_id("alert")} DESC) WHERE type = "alert"',
    "orderapp_declined": (
        f"(created_at DESC, {_own_id('payment')} DESC) "
        'WHERE type = "payment" AND status = "DECLINED"'
    ),
    "orderapp_ids": f"({_own_type()}, order_id)",
    "orderapp_sums": f"({_own_type()}, kafka_timestamp, country, status, amount)",
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


BY_ID = {
    kind: _select(
        ", ".join(f"b.{name}" for name in kind.__struct_fields__),
        "orderapp_ids",
        f'{_own_type("b.")} = "{kind.__struct_config__.tag}" AND b.order_id > $after '
        "ORDER BY b.order_id LIMIT $count",
    )
    for kind in KINDS
}

_SPAN = "FLOOR(b.kafka_timestamp / 10000)"
_SLICE = (
    f"{_own_type('b.')} = $type AND b.kafka_timestamp >= $start AND b.kafka_timestamp < $end"
)
_SUMS = "COUNT(*) AS documents, SUM(b.amount) AS amount"
#: Where a slice of time ends that begins at `start` and has so many entries; no row: it has
#: fewer.
EDGE = _select(
    "RAW b.kafka_timestamp",
    "orderapp_sums",
    f"{_SLICE} ORDER BY b.kafka_timestamp LIMIT 1 OFFSET $entries",
)
#: What is in a slice. All of these are answered by their index alone.
COUNTS = _select(
    f"b.country, b.status, {_SUMS}", "orderapp_sums", f"{_SLICE} GROUP BY b.country, b.status"
)
#: The same, in spans of 10 s.
SPANS = _select(
    f"b.country, b.status, {_SPAN} AS span, {_SUMS}",
    "orderapp_sums",
    f"{_SLICE} GROUP BY b.country, b.status, {_SPAN}",
)


def _keys(kind: str, index: str, where: str = "") -> Statement:
    # In this form the index finds exactly the entries of the page, also among many with equal
    # times. The type is no parameter, since an index with a WHERE serves only a query that
    # repeats it.
    own = _own_id(kind, "b.")
    return _select(
        f"b.created_at, {own} AS order_id",
        index,
        f'b.type = "{kind}"{where} AND ((b.created_at = $at AND {own} >= 0 AND {own} < $id) '
        f"OR (b.created_at < $at AND {own} BETWEEN 0 AND {LARGEST})) "
        f"ORDER BY b.created_at DESC, {own} DESC LIMIT $count",
    )


ORDERS = _keys("order", "orderapp_orders")
_COUNTRY = _keys("order", "orderapp_countries", " AND b.country = $country")
_CUSTOMER = _keys("order", "orderapp_customers", " AND b.customer_id = $customer")
_TRACE = _keys("order", "orderapp_traces", " AND b.trace_id = $trace")
_ALERTS = _keys("alert", "orderapp_alerts")
_DECLINED = _keys("payment", "orderapp_declined", ' AND b.status = "DECLINED"')

_PAGES = (ORDERS, _COUNTRY, _CUSTOMER, _TRACE, _ALERTS, _DECLINED)
ALL = (*BY_ID.values(), EDGE, COUNTS, SPANS, *_PAGES)

#: Sorts after every time.
TOP = ("\uffff", 0)


def keys(query: OrderQuery) -> tuple[Statement, dict[str, str | int]]:
    """Which keys to walk for a page, newest first: the fewest that include all that match."""
    at, order_id = query.begin or TOP
    parameters: dict[str, str | int] = {"at": at, "id": order_id}
    if query.trace_id is not None:
        return _TRACE, parameters | {"trace": query.trace_id}
    if query.customer_id is not None:
        return _CUSTOMER, parameters | {"customer": query.customer_id}
    if query.status == "declined":
        return _DECLINED, parameters
    if query.status == "alert":
        return _ALERTS, parameters
    if query.country is not None:
        return _COUNTRY, parameters | {"country": query.country}
    return ORDERS, parameters
