"""What a real worker says of itself: traces that a collector receives, and its log."""

import http.server
import json
import re
import threading
import urllib.request

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e import records
from tests.e2e.worker import eventually
from tests.ports import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
SECRET = "t0ken-of-the-collector"


class Span:
    """One that arrived, with ids as text."""

    def __init__(self, span, resource):
        self.name, self.trace = span.name, span.trace_id.hex()
        self.id, self.parent = span.span_id.hex(), span.parent_span_id.hex()
        self.links = {(link.trace_id.hex(), link.span_id.hex()) for link in span.links}
        values = {a.key: a.value for a in (*resource.attributes, *span.attributes)}
        self.attributes = {name: value.string_value for name, value in values.items()}


class Collector:
    """Takes OTLP over HTTP, as protobuf, and keeps what it got."""

    def __init__(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(
                    self.path, self.headers, ExportTraceServiceRequest.FromString(body)
                )
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.spans, self.requests = [], []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, request):
        self.requests.append((path, headers["authorization"]))
        for sent in request.resource_spans:
            for scope in sent.scope_spans:
                self.spans += [Span(span, sent.resource) for span in scope.spans]

    def by_name(self, trace):
        return {span.name: span for span in list(self.spans) if span.trace == trace}


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


WHOLE = {
    "send orders",
    "fraud orders",
    "payment orders",
    "analytics orders",
    "analytics fraud-alerts",
    "analytics payments",
}


def posted(worker, **headers):
    """Send an order by the API; its id."""
    order = {"customer_id": 1234, "amount": 350, "country": "DE"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{worker.port}/api/orders",
        json.dumps(order).encode(),
        {"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["order"]["order_id"]


def test_an_order_is_one_trace_from_the_request_to_the_store(start, collector):
    worker = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{SECRET}",
        OTEL_BSP_SCHEDULE_DELAY="100",
        ORDERAPP_LOG_FORMAT="json",
    ).wait_ready()

    order_id = posted(worker, traceparent=PARENT.decode())

    spans = eventually(
        lambda: (found := collector.by_name(TRACE)).keys() >= WHOLE and found, "all arrive"
    )
    sent = spans["send orders"]
    assert sent.parent == "b7ad6b7169203331"
    for service in ("fraud", "payment", "analytics"):
        assert spans[f"{service} orders"].parent == sent.id
    assert spans["analytics payments"].parent == spans["payment orders"].id
    assert spans["analytics fraud-alerts"].parent == spans["fraud orders"].id
    for name in WHOLE - {"send orders"}:
        batch = batch_of(collector, spans[name])
        assert batch.name == f"{name} batch"
        assert batch.trace != TRACE
        assert (TRACE, spans[name].parent) in batch.links
    assert {"service.name": "orderapp", "service.namespace": "orderapp"}.items() <= (
        sent.attributes.items()
    )
    assert sent.attributes["messaging.kafka.message.key"] == str(order_id)
    assert worker.paid_order(order_id)["trace_id"] == TRACE
    assert {
        record.headers[0]
        for topic in ("payments", "fraud-alerts")
        for record in records.read(worker.kafka, topic)
    } == {
        ("traceparent", f"00-{TRACE}-{spans[name].id}-01".encode())
        for name in ("payment orders", "fraud orders")
    }
    assert set(collector.requests) == {("/v1/traces", f"Bearer {SECRET}")}
    assert SECRET not in worker.log
    [line] = [said for said in lines(worker) if "is risky" in said["message"]]
    assert (line["order_id"], line["trace_id"]) == (order_id, TRACE)


def batch_of(collector, span):
    [(trace, span_id)] = span.links

    def arrived():
        return [s for s in list(collector.spans) if (s.trace, s.id) == (trace, span_id)]

    [batch] = eventually(arrived, "the batch's own span arrives")
    return batch


def test_generated_orders_begin_traces_of_their_own(start, collector):
    worker = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_SERVICE_NAME="shop",
        ORDERAPP_ORDER_INTERVAL="0.5",
    ).wait_ready()
    eventually(lambda: len(records.read(worker.kafka, "orders")) > 3, "orders come")

    assert worker.terminate() == 0

    # What was not delivered yet was so by the stop.
    first = named(collector, "send orders")[0]
    assert first.attributes["service.name"] == "shop"
    assert {"fraud orders", "payment orders"} <= collector.by_name(first.trace).keys()
    assert len({span.trace for span in named(collector, "send orders")}) > 3


def named(collector, name):
    return [span for span in collector.spans if span.name == name]


def test_without_a_collector_the_worker_works_says_so_once_and_stops(start):
    worker = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization={SECRET}",
        OTEL_BSP_SCHEDULE_DELAY="50",
        ORDERAPP_ORDER_INTERVAL="0.05",
    ).wait_ready()
    eventually(lambda: len(records.read(worker.kafka, "payments")) > 100, "orders are paid")
    eventually(lambda: "traces: Transient error" in worker.log, "it says so")

    assert worker.terminate() == 0

    assert worker.took < 8
    assert worker.log.count("] traces: Transient") == 1
    assert "Traceback" not in worker.log
    assert SECRET not in worker.log


def test_a_worker_without_traces_hands_those_of_senders_on(start):
    worker = start().wait_ready()

    records.send(
        worker.kafka,
        [records.order(1, 350.0), records.order(2, 350.0)],
        headers=[("traceparent", PARENT), ("secret", b"of the sender")],
    )
    records.send(worker.kafka, [records.order(3, 350.0)])

    eventually(lambda: all(worker.paid_order(n) for n in (1, 2, 3)), "all are paid")
    for topic in ("payments", "fraud-alerts"):
        eventually(lambda topic=topic: len(records.read(worker.kafka, topic)) == 3, "all came")
        headers = {int(r.key): r.headers for r in records.read(worker.kafka, topic)}
        assert headers == dict.fromkeys((1, 2), (("traceparent", PARENT),)) | {3: ()}
    assert worker.paid_order(1)["trace_id"] == TRACE
    assert worker.paid_order(3)["trace_id"] == ""


def test_a_bad_variable_of_opentelemetry_ends_the_start_with_one_line(start):
    worker = start(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_HEADERS=SECRET
    )

    assert worker.wait() == 1

    [line] = [line for line in worker.log.splitlines() if "OTEL_EXPORTER_OTLP_HEADERS" in line]
    assert "is not name=value" in line
    assert SECRET not in worker.log
    assert "Traceback" not in worker.log


# -- the log ----------------------------------------------------------------------------


def lines(worker):
    """Each line of the log, which has to be JSON."""
    return [json.loads(line) for line in worker.log.splitlines()]


def a_short_life(start, **settings):
    """A worker that was started, had orders, a risky one and a bad one, and was stopped."""
    worker = start(**settings).wait_ready()
    records.send(worker.kafka, [records.order(7, 350.0), (b"8", b"no order")])
    eventually(lambda: worker.paid_order(7), "it is paid")
    eventually(lambda: "dead letter: " in worker.log, "the other one is a dead letter")
    assert worker.terminate() == 0
    return worker


def test_every_line_is_json_where_that_is_asked_for(start):
    worker = a_short_life(start, ORDERAPP_LOG_FORMAT="json")

    said = lines(worker)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in said)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", s["time"]) for s in said)
    assert said[-1]["message"] == "Worker stopped"
    [risky] = [line for line in said if "is risky" in line["message"]]
    assert (risky["level"], risky["order_id"], risky["service"]) == ("info", 7, "fraud")
    [dead] = [line for line in said if line["message"].startswith("dead letter")]
    assert dead["level"] == "warning"
    assert {
        "order_id": 8,
        "service": "analytics,fraud,payment",
        "topic": "orders",
        "error": "DecodeError",
    }.items() <= dead.items()
    assert {"partition", "offset"} <= dead.keys()


def test_a_worker_says_what_a_person_wants_to_see_and_no_more(start_alone):
    worker = a_short_life(start_alone)

    banner, *said = re.split(r"\n(?=\[)", worker.log.rstrip())
    assert re.match(r"\+orderapp [\d.]+, Faust [\d.]+", banner), banner
    texts = [re.sub(r"^\[.*?\] \[\d+\] ", "", line).rstrip() for line in said]
    expected = [
        r"\[INFO\] Data in .*/data",
        r"\[INFO\] Starting the embedded Kafka in .*",
        r"\[INFO\] Started the embedded Kafka at port \d+",
        r"\[INFO\] created the topics orders, .*",
        r"\[INFO\] group orderapp: this worker reads fraud-alerts 0-5, fraud-alerts-shadow .*",
        r"\[INFO\] Worker ready at http://localhost:\d+/, Kafka at 127.0.0.1:\d+",
        r"\[INFO\] order 7 is risky: HIGH_AMOUNT_RISKY_COUNTRY, 350.00 from DE",
        r"\[WARNING\] dead letter: analytics,fraud,payment could not process .*",
        r"\[INFO\] Worker stopping: .*",
        r"\[INFO\] Worker stopped",
    ]
    # The two of one moment come in any order.
    assert len(expected) == len(texts), texts
    for pattern in expected:
        assert any(re.fullmatch(pattern, text) for text in texts), (pattern, texts)
