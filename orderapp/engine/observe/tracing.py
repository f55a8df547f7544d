"""Traces: the W3C header `traceparent` goes with a record through every service.

Nothing here needs OpenTelemetry. A header that a record came with is handed on as it is; spans
are made (`observe.spans`) when the extra `otel` is installed and its standard variables
(`OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_ENDPOINT`) ask for traces. Then `start` replaces
the tracer that does nothing.
"""

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka import ConsumerRecord

from orderapp.engine.observe.trace_headers import Headers, current, handed_on

if TYPE_CHECKING:
    from orderapp.engine.observe.spans import Spans

logger = logging.getLogger(__name__)

_NOTHING: AbstractContextManager[Headers] = nullcontext([])

_spans: "Spans | None" = None


class Records(Protocol):
    """A batch, as far as traces go by it."""

    @property
    def records(self) -> Sequence[ConsumerRecord]:
        """In the order of their offsets, of one partition."""

    @property
    def headed(self) -> bool:
        """Whether any of them has headers."""


def onward(batch: Records) -> list[Headers] | None:
    """The headers for what is sent because of each record of a batch; None: none at all."""
    if not batch.headed:
        return None
    own = current.get()
    return [own.get(record.offset) or handed_on(record.headers) for record in batch.records]


def sending(topic: str, key: bytes, headers: Headers = ()) -> AbstractContextManager[Headers]:
    """Around the sending of a new record, to be sent with the headers that this gives.

    `headers` are those of what asked for it, if anything did."""
    if _spans is not None:
        return _spans.sending(topic, key, headers)
    return nullcontext(handed_on(headers)) if headers else _NOTHING


def processing(service: str, batch: Records) -> AbstractContextManager[Any]:
    """Around the work of a service on a batch."""
    if _spans is None or not batch.headed:
        return _NOTHING
    return _spans.processing(service, batch.records)


def failed(record: ConsumerRecord, error: BaseException) -> None:
    """Note in its span that a record became a dead letter."""
    if _spans is not None:
        _spans.failed(record, error)


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
            "(pip install 'orderapp[otel]'): none are sent"
        )
        return
    from orderapp.engine.observe.spans import Spans

    _spans = Spans.from_env(environ, namespace=namespace, service=service)
    logger.info("traces are sent to %s", _spans.target)


def stop(seconds: float) -> None:
    """Deliver what is left, for at most so long. Blocks."""
    global _spans
    if _spans is not None:
        spans, _spans = _spans, None
        spans.stop(seconds)
