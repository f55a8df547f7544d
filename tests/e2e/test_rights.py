"""Rights in Kafka that are missing at the start, or taken away later: the worker says which,
is not ready, gives nothing up, and goes on by itself when they are given."""

import asyncio

import pytest

from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.topic_settings import TopicSpec
from tests.e2e import records
from tests.e2e.rights import AUTHORIZER, Rights
from tests.e2e.secure_kafka import secure_kafka
from tests.e2e.worker import eventually, faust


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with secure_kafka(tmp_path_factory.mktemp("kafka"), AUTHORIZER) as running:
        yield running


def missing(worker):
    """The reasons in `/readyz` for which the worker is blocked."""
    status, answer = worker.get("/readyz")
    reasons = answer["missing"] if status == 503 else []
    return " | ".join(reason for reason in reasons if "allow" in reason)


def test_rights_are_waited_for(kafka, start, tmp_path):
    rights, server = Rights(kafka), kafka.kafka.bootstrap_servers
    asyncio.run(Cluster((server,)).prepare([TopicSpec("payments", 6)]))
    rights.give_all()
    rights.take("topic", "payments")
    access = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CONFLUENT_API_KEY": kafka.api_key,
        "CONFLUENT_API_SECRET": kafka.api_secret,
        "SSL_CERT_FILE": str(kafka.ca_file),
    }
    worker = start(**access)

    def blocked_by(text):
        eventually(lambda: text in missing(worker), f"blocked by {text}; {worker.log[-2000:]}")
        lines = [line for line in worker.log.splitlines() if "CRITICAL" in line]
        assert text in lines[-1]
        return len(lines)

    blocked_by("DESCRIBE on topic 'payments'")
    sent = faust(tmp_path / "data", "send", "orders", "{}", **access)
    assert sent.returncode == 1
    assert "DESCRIBE on topic 'payments'" in sent.stderr
    assert "Traceback" not in sent.stderr

    rights.give("topic", "payments", "write")
    blocked_by("READ on topic 'payments'")
    assert "created the topics orders, fraud-alerts, fraud-alerts-shadow, orde" in worker.log
    rights.give("topic", "payments", "read")
    worker.wait_ready()

    rights.take("topic", "payments", "read")
    lines = blocked_by("READ on topic 'payments'")
    records.send(server, [records.order(780_000_001)])
    eventually(lambda: worker.order(780_000_001), "what may be read is done meanwhile")
    rights.give("topic", "payments", "read")
    eventually(lambda: worker.paid_order(780_000_001), "the payment is read")
    worker.wait_ready()
    assert worker.log.count("CRITICAL") == lines, "said once, however often it was tried"

    rights.take("group", "orderapp")
    blocked_by("READ on group 'orderapp'")
    records.send(server, [records.order(780_000_002)])
    rights.give("group", "orderapp", "read")
    eventually(lambda: worker.paid_order(780_000_002), "the order is paid")
    worker.wait_ready()

    assert worker.get("/healthz")[0] == 200
    assert "Traceback" not in worker.log
    assert worker.log.count("no longer blocked") == 4
