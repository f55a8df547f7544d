"""Spans, by OpenTelemetry. Imported only where traces are wanted (see `tracing`).

Each record whose `traceparent` is sampled gets a span of its own in its own trace: a child of
the one that sent it, and the parent of what is sent because of it. The batch in which it was
worked on is a span too, in a trace of its own; the two are linked, since a batch has as many
parents as it has records.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Self

from aiokafka import ConsumerRecord
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from orderapp.engine.observe.exporters import exporters, where
from orderapp.engine.observe.texts import one_line
from orderapp.engine.observe.trace_headers import PARENT, STATE, Headers, current, handed_on

#: Links from the span of a batch to its records; more say nothing more.
MAX_LINKS = 128

_open: ContextVar[Mapping[int, Span]] = ContextVar("open", default={})  # noqa: B039


class Spans:
    """Makes spans, and hands them to an exporter in a thread of its own."""

    def __init__(self, targets: list[SpanExporter], resource: Resource, target: str) -> None:
        #: Where they go, for a log line.
        self.target = target
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in targets:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("orderapp")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, namespace: str, service: str) -> Self:
        """As the standard variables say; raises `FatalError`."""
        resource = _resource(environ, namespace, service)
        return cls(exporters(environ), resource, where(environ))

    @contextmanager
    def sending(self, topic: str, key: bytes, headers: Headers) -> Iterator[Headers]:
        span = self._tracer.start_span(
            f"send {topic}",
            _child_of(_context(headers)),
            SpanKind.PRODUCER,
            {
                "messaging.system": "kafka",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "messaging.kafka.message.key": key.decode(errors="replace"),
            },
        )
        try:
            yield _headers(span)
        except BaseException as error:  # cancelled too: a span must not look done
            _blame(span, error)
            raise
        finally:
            span.end()

    @contextmanager
    def processing(self, service: str, records: Sequence[ConsumerRecord]) -> Iterator[None]:
        parents = {
            record.offset: (record, context)
            for record in records
            if (context := _context(record.headers)) and context.trace_flags.sampled
        }
        if not parents:
            yield
            return
        began = time.time_ns()
        whole = self._whole(
            service, records, [context for _, context in parents.values()], began
        )
        links = [Link(whole.get_span_context())] if whole.is_recording() else []
        spans = {
            offset: self._tracer.start_span(
                f"{service} {record.topic}",
                _child_of(context),
                SpanKind.CONSUMER,
                _attributes(service, record),
                links,
                began,
            )
            for offset, (record, context) in parents.items()
        }
        tokens = (
            current.set({offset: _headers(span) for offset, span in spans.items()}),
            _open.set(spans),
        )
        try:
            yield
        except BaseException as error:  # cancelled: the records come again
            for span in spans.values():
                _blame(span, error)
            raise
        finally:
            current.reset(tokens[0])
            _open.reset(tokens[1])
            ended = time.time_ns()
            for span in (*spans.values(), whole):
                span.end(ended)

    def _whole(
        self,
        service: str,
        records: Sequence[ConsumerRecord],
        contexts: list[SpanContext],
        began: int,
    ) -> Span:
        return self._tracer.start_span(
            f"{service} {records[0].topic} batch",
            Context(),
            SpanKind.CONSUMER,
            {
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": records[0].topic,
                "messaging.destination.partition.id": str(records[0].partition),
                "messaging.batch.message_count": len(records),
                "orderapp.service": service,
            },
            [Link(context) for context in islice(contexts, MAX_LINKS)],
            began,
        )

    def failed(self, record: ConsumerRecord, error: BaseException) -> None:
        span = _open.get().get(record.offset)
        if span is not None:
            _blame(span, error)

    def stop(self, seconds: float) -> None:
        """Deliver what is left, for at most so long: who is away holds up nobody."""
        # The SDK's own time limits do not hold while an exporter tries again.
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(seconds)


def _resource(environ: Mapping[str, str], namespace: str, service: str) -> Resource:
    given = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    ours = {
        "service.namespace": namespace,
        "service.name": service,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
    }
    if environ.get("OTEL_SERVICE_NAME"):
        del ours["service.name"]
    return Resource.create({k: v for k, v in ours.items() if f"{k}=" not in given})


def _attributes(service: str, record: ConsumerRecord) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.kafka.message.key": (record.key or b"").decode(errors="replace"),
        "orderapp.service": service,
    }


def _context(headers: Headers) -> SpanContext | None:
    """What a record's headers say; None without a valid `traceparent`."""
    own = handed_on(headers)
    if not own:
        return None
    value, states = own[0][1], [state.decode("latin-1") for _, state in own[1:]]
    return SpanContext(
        int(value[3:35], 16),
        int(value[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(value[53:55], 16)),
        trace_state=TraceState.from_header(states) if states else None,
    )


def _child_of(context: SpanContext | None) -> Context:
    # From an empty one: what runs around it has nothing to do with the record.
    if context is None:
        return Context()
    return set_span_in_context(NonRecordingSpan(context), Context())


def _headers(span: Span) -> Headers:
    own = span.get_span_context()
    ids = own.trace_id, own.span_id, own.trace_flags
    headers = [(PARENT, b"00-%032x-%016x-%02x" % ids)]
    if own.trace_state:
        headers.append((STATE, own.trace_state.to_header().encode()))
    return headers


def _blame(span: Span, error: BaseException) -> None:
    name = type(error).__name__
    span.set_attribute("error.type", name)
    span.set_status(Status(StatusCode.ERROR, f"{name}: {one_line(error)}"))
