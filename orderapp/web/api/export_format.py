"""Orders as the bytes of a file: CSV (RFC 4180, UTF-8) and JSON."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from orderapp.web.api.answers import Page
from orderapp.web.api.listed import ListedOrder


class Kind(NamedTuple):
    """One kind of file. `rows` takes orders, and whether they are its first; `end` where what
    is missing begins, null if nothing is."""

    ending: str
    content_type: str
    charset: str
    #: What the answer is, and its type where it is JSON.
    text: str
    model: type | None
    begin: bytes
    rows: Callable[[Sequence[ListedOrder], bool], bytes]
    end: Callable[[str | None], bytes]


#: The cells of an order.
_COLUMNS: dict[str, Callable[[ListedOrder], Any]] = {
    "order_id": lambda order: order.order_id,
    "created_at": lambda order: order.created_at,
    "customer_id": lambda order: order.customer_id,
    "amount": lambda order: order.amount,
    "country": lambda order: order.country,
    "order_status": lambda order: order.order_status,
    "alerts": lambda order: " ".join(alert.reason for alert in order.alerts),
    "payment_id": lambda order: order.payment and order.payment.payment_id,
    "paid_at": lambda order: order.payment and order.payment.paid_at,
    "attempts": lambda order: order.payment and order.payment.attempts,
    "dead_letter_of": lambda order: order.dead_letter and order.dead_letter.service,
    "dead_letter_state": lambda order: order.dead_letter and order.dead_letter.state,
    "stored_at": lambda order: order.stored_at,
    "trace_id": lambda order: order.trace_id,
    "kafka_partition": lambda order: order.kafka_partition,
    "kafka_offset": lambda order: order.kafka_offset,
}

#: How a cell begins that spreadsheets take for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _csv_rows(orders: Sequence[ListedOrder], _: bool) -> bytes:
    return _csv([[value(order) for value in _COLUMNS.values()] for order in orders])


def _csv_end(after: str | None) -> bytes:
    return b"" if after is None else _csv([[f"# not all: the next begin with after={after}"]])


def _json_rows(orders: Sequence[ListedOrder], is_first: bool) -> bytes:
    items = b",".join(map(msgspec.json.encode, orders))
    return items if is_first else b"," + items


def _json_end(after: str | None) -> bytes:
    return b'],"next":%b,"status":"ok"}' % msgspec.json.encode(after)


KINDS = (
    Kind(
        "csv",
        "text/csv",
        "utf-8",
        "A line for each order, below their names. Text that a spreadsheet would take for a "
        "formula has a ' before it. A last line that begins with `# not all` says with which "
        "`after` the next file begins.",
        None,
        _csv([[*_COLUMNS]]),
        _csv_rows,
        _csv_end,
    ),
    Kind(
        "json",
        "application/json",
        "",
        "The orders, as a page of the list has them. `next` is null if these are all, and else "
        "the `after` with which the next file begins.",
        Page,
        b'{"orders":[',
        _json_rows,
        _json_end,
    ),
)
