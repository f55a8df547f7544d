"""A right to write that is missing at the start, or taken away: one line, not ready, nothing
lost, and the worker goes on when it is given."""

import json
import urllib.error
import urllib.request

import pytest

from tests.e2e import records
from tests.e2e.rights import AUTHORIZER, Rights
from tests.e2e.secure_kafka import secure_kafka
from tests.e2e.worker import eventually, faust


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with secure_kafka(tmp_path_factory.mktemp("kafka"), AUTHORIZER) as running:
        yield running


def blocked_by(worker, topic):
    def look():
        status, answer = worker.get("/readyz")
        return status == 503 and f"WRITE on topic '{topic}'" in str(answer["missing"])

    eventually(look, f"not ready without the right to write to {topic}; {worker.log[-2000:]}")
    assert worker.get("/healthz")[0] == 200


def test_rights_to_write_are_waited_for(kafka, start):
    rights, server = Rights(kafka), kafka.kafka.bootstrap_servers
    rights.give_all()
    worker = start(
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
        CONFLUENT_API_KEY=kafka.api_key,
        CONFLUENT_API_SECRET=kafka.api_secret,
        SSL_CERT_FILE=str(kafka.ca_file),
    )
    worker.wait_ready()
    assert worker.terminate() == 0

    # Missing at the start, with nothing to send.
    rights.take("topic", "payments", "write")
    worker.start()
    blocked_by(worker, "payments")
    told = faust(worker.data_dir, "doctor", **worker.settings)
    assert told.returncode == 1
    (failed,) = [line for line in told.stdout.splitlines() if line.startswith("failed")]
    assert "payments may not be written to" in failed
    records.send(server, [records.order(1)])
    eventually(lambda: worker.order(1), "what may be done is done")
    assert worker.paid_order(1) is None
    rights.give("topic", "payments", "write")
    eventually(lambda: worker.paid_order(1), "it is paid", 90)
    worker.wait_ready()

    # Taken away: from a service, and from the API.
    rights.take("topic", "fraud-alerts", "write")
    records.send(server, [records.order(2, 400.0)])
    blocked_by(worker, "fraud-alerts")
    rights.take("topic", "orders", "write")
    assert post(worker) == 503
    blocked_by(worker, "orders")
    rights.give("topic", "orders", "write")
    rights.give("topic", "fraud-alerts", "write")
    worker.wait_ready(90)
    eventually(lambda: worker.alerts(2), "the alert is there")
    assert post(worker) == 202
    assert "Traceback" not in worker.log
    assert worker.log.count("CRITICAL") == 3
    assert worker.log.count("no longer blocked") == 3
    assert [record.key for record in records.read(server, "payments")].count(b"1") == 1


def post(worker):
    order = {"customer_id": 1234, "amount": 10, "country": "DE"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{worker.port}/api/orders",
        json.dumps(order).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
