"""The parameters of the API, read strictly: a wrong one is 400 and says what is allowed."""

import base64
import re
from collections.abc import Collection, Mapping

import msgspec
from aiohttp import web

from orderapp.models import LARGEST, one_form
from orderapp.store import STATUSES
from orderapp.web.api.routes import Parameter
from orderapp.web.server.problems import bad_parameter

MAX_LIMIT = 100
MAX_COUNTRY = 64
LEAST_CUSTOMER, MAX_CUSTOMER = 1000, 9999
TRACE_ID = re.compile("^[0-9a-f]{32}$")
_CURSOR = "the `next` of the page before, unchanged"


def limit(default: int, of: str = "orders") -> Parameter:
    """The declaration of `limit`."""
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": default}
    return Parameter("limit", schema, f"how many {of}")


ORDER_ID = Parameter(
    "order_id",
    {"type": "integer", "minimum": 0, "maximum": LARGEST},
    "the order's id",
    "path",
    example=1795975200000000,
)
AFTER = Parameter("after", {"type": "string", "maxLength": 256}, _CURSOR)
COUNTRY = Parameter(
    "country",
    {"type": "string", "minLength": 1, "maxLength": MAX_COUNTRY},
    "only this country",
    example="DE",
)
FROM = Parameter(
    "from",
    {"type": "string", "format": "date-time"},
    "only orders that were created at this time or later",
)
TO = Parameter(
    "to",
    {"type": "string", "format": "date-time"},
    "only orders that were created before this time",
)
CUSTOMER = Parameter(
    "customer_id",
    {"type": "integer", "minimum": LEAST_CUSTOMER, "maximum": MAX_CUSTOMER},
    "only orders of this customer",
    example=1234,
)
TRACE = Parameter(
    "trace_id",
    {"type": "string", "pattern": TRACE_ID.pattern},
    "only orders that came with this trace",
    example="4bf92f3577b34da6a3ce929d0e0e4736",
)
STATUS = Parameter(
    "status",
    {"type": "string", "enum": list(STATUSES)},
    "only orders in this state; `alert`: those with a fraud alert, `dead_letter`: those with "
    "an open dead letter of any service, both paid or not",
)

_decode_cursor = msgspec.json.Decoder(tuple[str, int]).decode


# What is read from a query is None when it is not there.


def _number(name: str, text: str, least: int, most: int) -> int:
    # Bounded before it is converted: Python refuses, in its own words, to convert what is huge.
    is_short = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not (is_short and least <= int(text) <= most):
        raise bad_parameter(name, text, f"a number from {least} to {most}")
    return int(text)


def read_number(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """A whole number from `least` to `most`."""
    text = query.get(name)
    return None if text is None else _number(name, text, least, most)


def read_limit(query: Mapping[str, str], default: int) -> int:
    """`limit`, or the default."""
    return read_number(query, "limit", 1, MAX_LIMIT) or default


def read_order_id(request: web.Request) -> int:
    """The order id of the path."""
    return _number("order_id", request.match_info["order_id"], 0, LARGEST)


def read_customer(query: Mapping[str, str]) -> int | None:
    """`customer_id`."""
    return read_number(query, "customer_id", LEAST_CUSTOMER, MAX_CUSTOMER)


def read_text(query: Mapping[str, str], name: str, most: int) -> str | None:
    """Text of at most so many characters, and not empty."""
    text = query.get(name)
    if text is not None and not 1 <= len(text) <= most:
        raise bad_parameter(name, text, f"1 to {most} characters")
    return text


def read_choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """One of the choices."""
    text = query.get(name)
    if text is not None and text not in choices:
        raise bad_parameter(name, text, f"one of {', '.join(choices)}")
    return text


def read_trace(query: Mapping[str, str]) -> str | None:
    """`trace_id`."""
    text = query.get("trace_id")
    if text is not None and not TRACE_ID.fullmatch(text):
        raise bad_parameter("trace_id", text, "32 digits from 0 to 9 and a to f")
    return text


def read_time(query: Mapping[str, str], name: str) -> str | None:
    """A time, in the form that stored ones have."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return one_form(text)
    except ValueError:
        allowed = "a time such as 2026-11-23T18:00:00Z (with a + in its zone sent as %2B)"
        raise bad_parameter(name, text, allowed) from None


def cursor(place: tuple[str, int] | None) -> str | None:
    """A place in the list, as clients carry it to the next page."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_after(query: Mapping[str, str]) -> tuple[str, int] | None:
    """The place that `after` holds."""
    text = query.get("after")
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        moment, order_id = _decode_cursor(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise bad_parameter("after", text, _CURSOR) from None
    if len(moment) > MAX_COUNTRY or not 0 <= order_id <= LARGEST:
        raise bad_parameter("after", text, _CURSOR)
    return moment, order_id
