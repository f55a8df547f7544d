"""Marked secrets, everything broken, and all that comes out of it searched for the marks."""

import base64
import http.client
import json
import signal
import socket
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.couchbase_double import couchbase_double
from tests.e2e import records
from tests.e2e.secure_kafka import secure_kafka
from tests.e2e.worker import FAUST, Worker, environment, eventually, faust, workers
from tests.ports import free_port

# Each has a part that no encoding changes, so that it is found however it is written.
WRONG_KAFKA = "xWRONGKAFKAx/+="
WRONG_COUCHBASE = "xWRONGCOUCHBASEx p@ss"
TOKEN = "xAPITOKENx-0123456789"
OTEL = "xOTELHEADERx"
PAYMENT = "xPAYMENTTOKENx"
MARKS = (
    "WRONGKAFKA",
    "WRONGCOUCHBASE",
    "APITOKEN",
    "OTELHEADER",
    "PAYMENTTOKEN",
    "SENTBYCLIENT",
)
POISON = [
    b"",
    b"no json",
    b"[" * 100_000,
    b'{"order_id":1}',
    b"\xff\xfe",
    b'{"order_id":1e400}',
]

PATHS = (
    "/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi.json",
    "/api/stats", "/api/analytics", "/api/analytics?limit=0", "/api/orders", "/api/orders/1",
    "/api/orders/x", "/nothing", "/static/api.js", "/table", "/router",
)  # fmt: skip


def forms(secret):
    """A secret as it may be written down."""
    raw = secret.encode()
    yield raw
    yield urllib.parse.quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    for start in range(3):  # base64 looks different at each of three places
        coded = base64.b64encode(b"\0" * start + raw)
        yield coded[4:-4]


class Search:
    """Everything that was seen, by where."""

    def __init__(self, *secrets):
        self.secrets = [form for secret in secrets for form in forms(secret)]
        self.seen: list[tuple[str, bytes]] = []

    def add(self, where, data):
        self.seen.append((where, data.encode() if isinstance(data, str) else data))

    def add_run(self, *arguments, result):
        self.add(f"faust {arguments}", result.stdout + result.stderr)
        return result

    def add_directory(self, directory):
        for path in directory.rglob("*"):
            if path.is_file():
                self.add(str(path), path.read_bytes())

    def check(self):
        assert self.seen
        needles = [*(mark.encode() for mark in MARKS), *self.secrets]
        found = [
            (where, needle, data[max(0, at - 100) : at + 100])
            for where, data in self.seen
            for needle in needles
            if (at := data.find(needle)) >= 0
        ]
        assert found == []


def ask(port, search, method="GET", path="/", body=None, **headers):
    """The status; head and body are kept for the search."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(
            method, path, body, {k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        search.add(f"{method} {path}", str(answer.getheaders()).encode() + answer.read())
        return answer.status
    finally:
        connection.close()


def send_raw(port, search, data):
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(data)
        search.add("raw", connection.recv(65536))


def ask_everything(port, search):
    """Every page, and requests with a right, a wrong and a damaged token."""
    for path in PATHS:
        ask(port, search, path=path)
    order = json.dumps({"customer_id": 1234, "amount": 5, "country": "DE"})
    is_json = {"Content_Type": "application/json"}
    wrong = (
        "Bearer SENTBYCLIENT",
        "Basic SENTBYCLIENT",
        f"Bearer {TOKEN}x",
        f"Bearer  {TOKEN[:-1]}",
    )
    for header in wrong:
        status = ask(
            port, search, "POST", "/api/orders", order, Authorization=header, **is_json
        )
        assert status == 401
    right = {"Authorization": f"Bearer {TOKEN}", **is_json}
    for body in (order, "no json", "[" * 70_000, "{}"):
        ask(port, search, "POST", "/api/orders", body, **right)
    for line in (b"\x01", b"x" * 9000, b"\r\nHost: twice\r\nno colon"):
        head = b"POST /api/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        send_raw(port, search, head + TOKEN.encode() + line + b"\r\n\r\n")


def run(data_dir, search, *arguments, **settings):
    """Run a command that has to fail; what it says is kept for the search."""
    result = search.add_run(*arguments, result=faust(data_dir, *arguments, **settings))
    assert result.returncode != 0, arguments
    said = result.stdout + result.stderr
    if arguments[0] == "worker":  # its log
        assert "Traceback" not in said
    else:
        assert [line[:10] for line in said.splitlines()] == ["orderapp: "], said
    return result


def started(data_dir, level, **settings):
    """A worker that logs at `level`."""
    worker = Worker(data_dir, **settings)
    log = worker.log_file.open("ab")
    worker.process = subprocess.Popen(
        [FAUST, "-A", "orderapp", "worker", "-l", level, "-p", str(worker.port)],
        env=environment(data_dir, worker.settings),
        cwd=data_dir.parent,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    log.close()
    return worker


@pytest.mark.timeout(400)
def test_secrets_show_nowhere_however_much_breaks(tmp_path):
    """Workers with the right secrets, of a Kafka with passwords and a Couchbase, lose both."""
    data = tmp_path / "work" / "data"
    data.parent.mkdir()
    with (
        secure_kafka(tmp_path) as kafka,
        couchbase_double("--password", "xRIGHTCOUCHBASEx") as double,
    ):
        double.password = "xRIGHTCOUCHBASEx"
        search = Search(kafka.api_secret, double.password, TOKEN, OTEL, PAYMENT)
        access = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CONFLUENT_API_KEY": kafka.api_key,
            "CONFLUENT_API_SECRET": kafka.api_secret,
            "SSL_CERT_FILE": str(kafka.ca_file),
            **double.environment,
        }
        more = {
            "ORDERAPP_API_TOKEN": TOKEN,
            "ORDERAPP_MAX_ATTEMPTS": "2",
            "ORDERAPP_FAULT_STORE_REFUSE": "0.3",
            "ORDERAPP_PAYMENT_DELAY": "0.01",
            # Nobody listens there.
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{OTEL}@127.0.0.1:{free_port()}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{OTEL}",
        }
        # Nobody listens there either.
        payment = {
            "ORDERAPP_PAYMENT_URL": f"http://127.0.0.1:{free_port()}",
            "ORDERAPP_PAYMENT_TOKEN": PAYMENT,
        }
        with workers(data), ThreadPoolExecutor() as beside:
            loud = started(data, "debug", **access, **more, **payment)
            more = {**more, "ORDERAPP_FAULT_GATEWAY_TIMEOUT": "0.3"}
            lines = started(data, "info", ORDERAPP_LOG_FORMAT="json", **access, **more)
            try:
                for worker in (loud, lines):
                    worker.wait_ready()
                    ask_everything(worker.port, search)
                plain = kafka.kafka.bootstrap_servers
                records.send(plain, [(b"%d" % n, value) for n, value in enumerate(POISON)])
                records.send(plain, [records.order(n) for n in range(100, 130)])
                eventually(lambda: "dead letter" in loud.log + lines.log, "poison is found")

                double.stop()
                arguments = (data, search, "reconcile", "--wait", "0")
                checked = beside.submit(run, *arguments, **access, **more)
                records.send(plain, [records.order(n) for n in range(200, 230)])
                eventually(lambda: "couchbase://" in loud.log + lines.log, "it is away")
                for worker in (loud, lines):
                    ask_everything(worker.port, search)

                checked.result()
                kafka.kafka.kill()
                listed = beside.submit(run, data, search, "dlq", "list", **access, **more)
                eventually(lambda: not loud.is_ready(), "Kafka is missed")
                time.sleep(2)
                for worker in (loud, lines):
                    ask_everything(worker.port, search)
                listed.result()
                loud.process.send_signal(signal.SIGABRT)
                lines.process.send_signal(signal.SIGTERM)
                for worker in (loud, lines):
                    worker.wait()
            finally:
                for worker in (loud, lines):
                    worker.close()
        search.add_directory(data.parent)
    assert loud.log_file in [Path(where) for where, _ in search.seen]
    assert any("/metrics" in where and b"orderapp_" in seen for where, seen in search.seen)
    search.check()


@pytest.mark.timeout(400)
def test_wrong_secrets_and_bad_settings_are_told_without_them(tmp_path):
    data = tmp_path / "work" / "data"
    data.parent.mkdir()
    search = Search(WRONG_KAFKA, WRONG_COUCHBASE, TOKEN, OTEL)
    with (
        secure_kafka(tmp_path) as kafka,
        couchbase_double() as double,
    ):
        wrong_kafka = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CONFLUENT_API_KEY": kafka.api_key,
            "CONFLUENT_API_SECRET": WRONG_KAFKA,
            "SSL_CERT_FILE": str(kafka.ca_file),
            "ORDERAPP_API_TOKEN": TOKEN,
        }
        wrong_store = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.kafka.bootstrap_servers,
            **double.environment,
            "COUCHBASE_PASSWORD": WRONG_COUCHBASE,
        }
        worker = ("worker", "-l", "debug", "-p", str(free_port()))
        for arguments in (worker, ("dlq", "list"), ("reconcile",), ("send", "orders", "{}")):
            said = run(data, search, *arguments, **wrong_kafka)
            assert kafka.api_key in said.stderr + said.stdout
        said = run(data, search, *worker, **wrong_store)
        assert "COUCHBASE_PASSWORD" in said.stderr + said.stdout
        broken = {
            "KAFKA_BOOTSTRAP_SERVERS": f"SASL_SSL://key:{WRONG_KAFKA}@localhost:9092",
            "COUCHBASE_HOST": f"couchbases://me:{WRONG_COUCHBASE}@localhost",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Bearer {OTEL}",
        }
        for name, value in broken.items():
            settings = {**wrong_store, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
            run(data, search, *worker, **{**settings, name: value})
        alone = {
            "CONFLUENT_API_SECRET": WRONG_KAFKA,
            "COUCHBASE_HOST": "",
            **double.environment,
        }
        run(data, search, "agents", **alone)
    search.add_directory(data.parent)
    search.check()


def test_the_search_finds_what_it_is_to_find(tmp_path):
    for text in ("a xAPITOKENx-0123456789", "WRONGKAFKA", "c2VjcmV0"):
        search = Search("my-secret-of-mine")
        search.add("here", text)
        if text == "c2VjcmV0":
            search.add("there", base64.b64encode(b"{'a': 'my-secret-of-mine'}"))
        with pytest.raises(AssertionError):
            search.check()
    (tmp_path / "file").write_text(urllib.parse.quote("a/secret+", safe=""))
    search = Search("a/secret+")
    search.add_directory(tmp_path)
    with pytest.raises(AssertionError):
        search.check()
