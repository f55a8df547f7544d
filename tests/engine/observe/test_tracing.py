"""Traces: which headers go on, and which spans are made of them."""

import asyncio
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from orderapp.engine.batches.batch import Batch
from orderapp.engine.errors import FatalError
from orderapp.engine.observe import exporters, trace_headers, tracing
from orderapp.engine.observe.spans import Spans
from tests.engine.delivery.test_policy import Event, run
from tests.records import record

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
UNSAMPLED = PARENT[:-2] + b"00"
OTHER = b"00-1bf7651916cd43dd8448eb211c80319c-c8ad6b7169203331-01"


class Kept(SpanExporter):
    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def spans(monkeypatch):
    """Makes spans; called, it returns those that were made."""
    kept = Kept()
    making = Spans([kept], Resource({}), "a list")
    monkeypatch.setattr(tracing, "_spans", making)

    def made():
        tracing.stop(60)
        return {span.name: span for span in kept.spans}

    return made


def batch(*headers):
    """A batch of one record for each list of headers; its offsets are 0, 1, …"""
    records = [record(key=b"%d" % n, offset=n, headers=own) for n, own in enumerate(headers)]
    return Batch("orders", 2, list(range(len(records))), records)


def traced(value=PARENT):
    return [("other", b"1"), ("traceparent", value), ("tracestate", b"a=1")]


# -- headers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (b"", ""),
        (b"x", ""),
        (b"ff" + PARENT[2:], ""),
        (PARENT + b"-x", ""),
        (PARENT + b"\n", ""),
        (PARENT.upper(), ""),
        (PARENT.replace(TRACE.encode(), b"0" * 32), ""),
        (PARENT.replace(b"b7ad6b7169203331", b"0" * 16), ""),
        (b"\xff" * 55, ""),
        (PARENT, TRACE),
        (UNSAMPLED, TRACE),
        (b"cc" + PARENT[2:] + b"-what the future brings", TRACE),
    ],
)
def test_only_a_valid_traceparent_names_a_trace(value, expected):
    assert trace_headers.trace_id([("traceparent", value)]) == expected


@pytest.mark.parametrize("headers", [(), None, [("other", PARENT)]])
def test_a_record_without_the_header_has_no_trace(headers):
    assert trace_headers.trace_id(headers) == ""


def test_nothing_is_handed_on_where_no_record_has_headers():
    assert tracing.onward(batch((), ())) is None


def test_the_trace_headers_are_handed_on_and_no_others():
    state = ("tracestate", b"a=1")

    assert tracing.onward(batch(traced(), [("other", b"1")], [state], traced(b"bad"))) == [
        [("traceparent", PARENT), state],
        [],
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("states", "handed_on"),
    [
        ([None], []),
        ([b""], []),
        ([b"a=1", None, b"b=2"], [b"a=1", b"b=2"]),
        ([b"a" * 512], [b"a" * 512]),
        ([b"a" * 513], []),
        ([b"a" * 300] * 2, []),
    ],
    ids=range(6),
)
def test_what_is_handed_on_has_a_value_and_stays_small(states, handed_on):
    headers = [("traceparent", PARENT), *(("tracestate", state) for state in states)]

    kept = [("tracestate", state) for state in handed_on]
    assert trace_headers.handed_on(headers) == [("traceparent", PARENT), *kept]


def test_a_traceparent_without_an_end_is_none():
    assert trace_headers.trace_id(traced(b"cc" + PARENT[2:] + b"-" + b"x" * 1_000_000)) == ""


def test_a_new_record_has_no_headers_without_spans():
    with tracing.sending("orders", b"7") as headers:
        assert list(headers) == []


def test_a_request_hands_its_trace_on():
    asked = {"traceparent": PARENT.decode(), "authorization": "secret", "tracestate": "a=1"}

    with tracing.sending("orders", b"7", trace_headers.from_http(asked)) as headers:
        assert headers == [("traceparent", PARENT), ("tracestate", b"a=1")]


@pytest.mark.parametrize("value", ["", "x", "é" * 55, "\udcff"])
def test_a_request_with_a_bad_traceparent_has_no_trace(value):
    assert trace_headers.from_http({"traceparent": value, "tracestate": "a=1"}) == []


# -- spans ------------------------------------------------------------------------------


def test_a_new_record_begins_a_trace(spans):
    with tracing.sending("orders", b"7") as headers:
        pass

    span = spans()["send orders"]
    assert trace_headers.trace_id(headers) == f"{span.context.trace_id:032x}"
    assert span.kind is SpanKind.PRODUCER
    assert span.attributes["messaging.kafka.message.key"] == "7"
    assert span.parent is None


def test_a_new_record_goes_on_with_the_trace_of_what_asked_for_it(spans):
    with tracing.sending("orders", b"7", traced()) as headers:
        pass

    span = spans()["send orders"]
    assert trace_headers.trace_id(headers) == TRACE == f"{span.context.trace_id:032x}"
    assert dict(headers)["traceparent"] != PARENT
    assert dict(headers)["tracestate"] == b"a=1"


def test_a_send_that_failed_is_marked(spans):
    with pytest.raises(TimeoutError), tracing.sending("orders", b"7"):
        raise TimeoutError

    assert spans()["send orders"].status.status_code is StatusCode.ERROR


def test_each_record_of_a_batch_has_a_span_in_its_own_trace_and_the_batch_links_to_all(spans):
    work = batch(traced(), (), traced(OTHER))

    with tracing.processing("fraud", work):
        first, second, third = tracing.onward(work)

    assert trace_headers.current.get() == {}
    assert [trace_headers.trace_id(h) for h in (first, second, third)] == [
        TRACE,
        "",
        OTHER[3:35].decode(),
    ]
    made = spans()
    whole, single = made["fraud orders batch"], made["fraud orders"]
    assert [f"{link.context.trace_id:032x}" for link in whole.links] == [
        TRACE,
        OTHER[3:35].decode(),
    ]
    assert whole.parent is None
    assert whole.attributes["messaging.batch.message_count"] == 3
    assert single.links[0].context == whole.context
    assert single.kind is SpanKind.CONSUMER
    assert f"{single.parent.span_id:016x}" == OTHER[36:52].decode()
    assert single.attributes["messaging.kafka.offset"] == 2


def test_links_are_bounded(spans):
    with tracing.processing("fraud", batch(*[traced()] * 1000)):
        pass

    assert len(spans()["fraud orders batch"].links) == 128


@pytest.mark.parametrize("headers", [(), [("other", b"1")], traced(UNSAMPLED), traced(b"bad")])
def test_a_batch_without_a_sampled_record_makes_no_span(spans, headers):
    work = batch(headers)

    with tracing.processing("fraud", work):
        onward = tracing.onward(work)

    assert spans() == {}
    assert onward in (None, [list(trace_headers.handed_on(headers))])


async def test_a_dead_letter_is_marked_in_its_own_span_only(spans):
    event = Event(["good", "bad"], headers=traced())
    for offset, found in enumerate(event.value.records):
        event.value.records[offset] = record(
            key=found.key, offset=offset, headers=traced(PARENT if offset else OTHER)
        )

    async def work(batch):
        await asyncio.sleep(0)
        if "bad" in batch.values:
            raise ValueError("a bad one")

    await run(work, event)

    made = spans()
    assert made["test orders"].status.status_code is StatusCode.ERROR
    assert made["test orders"].attributes["error.type"] == "ValueError"
    assert made["test orders"].attributes["messaging.kafka.offset"] == 1
    assert made["test orders batch"].status.status_code is StatusCode.UNSET


# -- settings ---------------------------------------------------------------------------

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({**HERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**HERE, "OTEL_SDK_DISABLED": "true"}, False),
        (HERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
    ],
)
def test_traces_are_made_where_the_standard_variables_ask_for_them(environ, wanted):
    assert tracing.wanted(environ) is wanted


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "'zipkin' is not installed; allowed: otlp, console"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "json", "'json' is not allowed: http/protobuf or grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "me:s3cret@collector", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://s3cret", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret", "is not name=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,s3cret", "is not name=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0Ax", "is not name=value"),
    ],
)
def test_a_bad_variable_is_named_and_no_secret_shown(name, value, text, caplog):
    with pytest.raises(FatalError) as error:
        exporters.exporters({**HERE, name: value})

    assert name in str(error.value)
    assert text in str(error.value)
    assert "s3cret" not in str(error.value) + caplog.text


def test_where_spans_go_is_said_without_a_password():
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:s3cret@collector:4318/s3cret?k=s3cret"
    }

    assert exporters.where(environ) == "otlp (https://collector:4318)"


def test_complaints_are_heard_once_in_a_while(caplog):
    complaint = "gone\nfor good"
    seldom = exporters.Seldom()
    for _ in range(1000):
        seldom.handle(SimpleNamespace(levelno=40, getMessage=lambda: complaint))

    assert [m for m in caplog.messages if "traces" in m] == [
        "traces: gone for good (said once in 60 s)"
    ]


def test_a_collector_that_is_away_holds_up_no_stop(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(tracing, "_spans", None)
    tracing.start(HERE, namespace="test", service="test")
    with tracing.sending("orders", b"7"):
        pass
    provider, goes_on = tracing._spans._provider, threading.Event()
    shutdown = provider.shutdown

    def hang():
        goes_on.wait()
        shutdown()

    monkeypatch.setattr(provider, "shutdown", hang)

    tracing.stop(0.5)

    assert tracing._spans is None
    goes_on.set()


def test_what_is_not_installed_is_said_and_stops_nothing(monkeypatch, caplog):
    monkeypatch.setattr(tracing.importlib.util, "find_spec", lambda _: None)

    tracing.start(HERE, namespace="test", service="test")

    assert tracing._spans is None
    assert "pip install 'orderapp[otel]'" in caplog.text


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for():
    code = (
        "import os, sys; from orderapp.engine.observe import tracing; import orderapp;"
        "tracing.start(os.environ, namespace='x', service='x');"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    environ = {"PATH": "", "OTEL_SERVICE_NAME": "x"}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ
    )

    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
