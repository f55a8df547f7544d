"""A real worker's log, while others write what would be a line of its own in it."""

import http.client
import re
import socket
import urllib.parse

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually, faust

FORGED = "[2026-01-01 00:00:00,000] [1] [CRITICAL] forged line"
ODD = f"DE\n{FORGED}\x1b]0;title\x07\x1b[31m\x9b1m\x7f\u2028{FORGED}\u202e"

#: As much of it as an order may have.
COUNTRY = ODD[:64]

STAMP = re.compile(r"\[20\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d\d\d\] \[\d+\] \[[A-Z]+\]:? ")


def send_what_is_odd(worker):
    """Text in every place that others can write to."""
    odd = ODD.encode()
    headers = [
        ("traceparent", odd), ("tracestate", odd), ("replay-for", odd), (ODD, odd),
        ("service", odd), ("error-text", odd), ("error-class", odd), ("original-topic", odd),
        ("original-partition", odd), ("attempts", odd),
    ]  # fmt: skip
    fine = records.order(1, 350.0, country=COUNTRY)
    records.send(worker.kafka, [fine, records.order(2, 350.0, created_at=ODD)])
    records.send(worker.kafka, [(odd, odd), (odd, fine[1]), (odd, None), (None, odd)])
    records.send(worker.kafka, [records.order(3)], headers=headers[:2] + headers[3:])
    for topic in ("orders-dlq", "payments", "fraud-alerts"):
        records.send(worker.kafka, [(odd, odd), (None, odd)], topic, headers)


def ask_what_is_odd(worker):
    """The same for requests; none is answered by a 5xx."""
    path, client = urllib.parse.quote(ODD), http.client.HTTPConnection("127.0.0.1", worker.port)
    for target in (f"/{path}", f"/api/orders/{path}", f"/api/orders?country={path}&{path}=1"):
        client.request("GET", target)
        answer = client.getresponse()
        assert answer.status < 500
        answer.read()
    client.close()
    for request in (
        f"GET / HTTP/1.1\r\nHost: x\r\nX: \x1b[31m\x7f{FORGED}\r\n\r\n",
        f"GET /\x1b[31m HTTP/1.1\r\n{ODD}\r\n\r\n",
        f"{ODD}\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", worker.port), 60) as connection:
            connection.sendall(request.encode())
            assert not re.match(rb"HTTP/1.1 5", connection.recv(1000))


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nobody_outside_can_write_a_line_of_the_log(start, log_format):
    worker = start(
        app="tests.e2e.loud_app", ORDERAPP_LOG_FORMAT=log_format, ORDERAPP_PAYMENT_DELAY="0"
    ).wait_ready()
    send_what_is_odd(worker)
    eventually(lambda: worker.paid_order(1) and worker.paid_order(3), "orders are kept")
    eventually(lambda: len(records.read(worker.kafka, "orders-dlq")) > 6, "and others not")
    ask_what_is_odd(worker)
    listed = [
        faust(worker.data_dir, *command.split())
        for command in ("dlq list", "dlq show --everything", "dlq replay --everything --yes",
                        "reconcile --wait 0", f"dlq show {ODD.split()[0]}")
    ]  # fmt: skip
    assert worker.terminate() == 0

    log = worker.log
    assert log.count("forged line") > 20, "it was logged at all"
    # The banner of the start is Faust's own, and has a line before the first one of the log.
    lines = log[log.index("[20" if log_format == "text" else '{"time"') :].split("\n")
    for line in [*lines, *"".join(run.stdout + run.stderr for run in listed).split("\n")]:
        assert line.isprintable(), ascii(line)
        assert not line.startswith("[2026-01-01"), line
    if log_format == "text":
        for line in lines[:-1]:
            assert STAMP.match(line) or line.startswith("  | "), line
    else:
        assert all(line[:1] == "{" for line in lines[:-1])
