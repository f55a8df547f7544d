"""The headers by which a record belongs to a trace: W3C's `traceparent` and `tracestate`."""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

Headers = Sequence[tuple[str, bytes]]

PARENT, STATE = "traceparent", "tracestate"

#: W3C Trace Context, version 00. Later ones may have more behind it; neither id is all zeros.
_VALID = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=-|\Z)"
)
_LENGTH = 55
#: Of either header; as many as W3C asks everybody to hand on. What is sent because of a record
#: must not become larger than its topic allows.
MOST_BYTES = 512

#: The headers for what is sent because of a record, by its offset, while it is worked on.
current: ContextVar[Mapping[int, Headers]] = ContextVar("current", default={})  # noqa: B039


def parent(headers: Headers) -> bytes | None:
    """The valid `traceparent` among the headers of a record."""
    for name, value in headers:
        if name == PARENT:
            return value if value and _is_valid(value) else None
    return None


def _is_valid(value: bytes) -> bool:
    is_first_version = value.startswith(b"00")
    fits = len(value) == _LENGTH if is_first_version else len(value) <= MOST_BYTES
    return fits and bool(_VALID.match(value))


def trace_id(headers: Headers | None) -> str:
    """The trace that a record belongs to, as 32 hex digits; empty without one."""
    value = parent(headers) if headers else None
    return value[3:35].decode() if value else ""


def handed_on(headers: Headers) -> Headers:
    """The headers of a record that what is sent because of it gets too."""
    if not headers or (value := parent(headers)) is None:
        return []
    states = [(name, state) for name, state in headers if name == STATE and state]
    if sum(len(state) for _, state in states) > MOST_BYTES:
        states = []
    return [(PARENT, value), *states]


def from_http(headers: Mapping[str, str]) -> Headers:
    """The same of an HTTP request; whatever else it sends is not handed on."""
    names = [name for name in (PARENT, STATE) if name in headers]
    return handed_on([(name, headers[name].encode(errors="replace")) for name in names])
