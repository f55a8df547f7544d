"""Traces: the W3C header `traceparent` goes with a record through every service.

Nothing here needs OpenTelemetry. A header that a record came with is handed on as it is; spans
are made (`observe.spans`) when the extra `otel` is installed and its standard variables
(`OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_ENDPOINT`) ask for traces. Then `start` replaces
the tracer that does nothing.
"""

import importlib.util
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aiokafka import ConsumerRecord

if TYPE_CHECKING:
    from orderapp.engine.batches.batch import Batch
    from orderapp.engine.observe.spans import Spans

logger = logging.getLogger(__name__)

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
_NOTHING: AbstractContextManager[Headers] = nullcontext([])

#: The headers for what is sent because of a record, by its offset, while it is worked on.
current: ContextVar[Mapping[int, Headers]] = ContextVar("current", default={})  # noqa: B039
_spans: "Spans | None" = None


# -- headers ----------------------------------------------------------------------------


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


def onward(batch: "Batch[Any]") -> list[Headers] | None:
    """The headers for what is sent because of each record of a batch; None: none at all."""
    if not batch.headed:
        return None
    own = current.get()
    return [own.get(record.offset) or handed_on(record.headers) for record in batch.records]


# -- spans ------------------------------------------------------------------------------


def sending(topic: str, key: bytes, headers: Headers = ()) -> AbstractContextManager[Headers]:
    """Around the sending of a new record, to be sent with the headers that this gives.

    `headers` are those of what asked for it, if anything did."""
    if _spans is not None:
        return _spans.sending(topic, key, headers)
    return nullcontext(handed_on(headers)) if headers else _NOTHING


def processing(service: str, batch: "Batch[Any]") -> AbstractContextManager[Any]:
    """Around the work of a service on a batch."""
    if _spans is None or not batch.headed:
        return _NOTHING
    return _spans.processing(service, batch)


def failed(record: ConsumerRecord, error: BaseException) -> None:
    """Note in its span that a record became a dead letter."""
    if _spans is not None:
        _spans.failed(record, error)


# -- start and stop ---------------------------------------------------------------------


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables ask for traces."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter:
        return exporter != "none"
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return any(environ.get(name, "").strip() for name in names)


def start(environ: Mapping[str, str], *, namespace: str, service: str) -> None:
    """Begin to make spans if that is wanted; raises `FatalError` when it can't be done."""
    global _spans  # one for the process, as OpenTelemetry's own
    if _spans is not None or not wanted(environ):
        return
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        logger.warning(
            "OTEL_… asks for traces, but OpenTelemetry is not installed "
            "(pip install 'orderapp[otel]'): there are none"
        )
        return
    from orderapp.engine.observe.spans import Spans

    _spans = Spans.from_env(environ, namespace=namespace, service=service)
    logger.info("traces: go to %s", _spans.target)


def stop(seconds: float) -> None:
    """Deliver what is left, for at most so long. Blocks."""
    global _spans
    if _spans is not None:
        spans, _spans = _spans, None
        spans.stop(seconds)
