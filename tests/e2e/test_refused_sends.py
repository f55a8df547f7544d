"""What a topic refuses waits, is told, and goes on by itself when the topic is mended."""

import pytest

from tests.e2e import records, topic_settings
from tests.e2e.worker import eventually

GROUP = "payment-group"


@pytest.fixture(scope="module")
def server(kafka):
    """A Kafka whose `payments` take batches of 20,000 bytes."""
    topic_settings.create(kafka.bootstrap_servers, "payments", max_message_bytes="20000")
    return kafka.bootstrap_servers


@pytest.fixture
def payment(server, start):
    return lambda: start(
        KAFKA_BOOTSTRAP_SERVERS=server,
        ORDERAPP_SERVICES="payment",
        ORDERAPP_PAYMENT_DELAY="0.01",
    )


def paid(server):
    return [int(record.key) for record in records.read(server, "payments")]


def blocked_by(worker, *words):
    def look():
        status, answer = worker.get("/readyz")
        missing = " ".join(answer["missing"]) if status == 503 else ""
        return missing and all(word in missing for word in words)

    eventually(look, f"not ready because of {words}")
    assert worker.get("/healthz")[0] == 200


def goes_on(worker, before):
    worker.wait_ready()
    assert worker.log.count("no longer blocked") == before + 1
    assert "Traceback" not in worker.log


def test_payments_that_are_too_large_for_their_topic(server, payment):
    topic_settings.create(server, "orders")
    records.send(server, [records.order(n) for n in range(2000)])
    worker = payment().wait_ready()
    eventually(lambda: len(paid(server)) >= 2000, "all are paid in smaller batches")
    assert sorted(paid(server)) == list(range(2000))
    assert "CRITICAL" not in worker.log

    topic_settings.change(server, "payments", max_message_bytes="100")
    records.send(server, [records.order(n) for n in range(2000, 2060)])
    blocked_by(worker, "'payments'", "max.message.bytes")
    assert worker.log.count("CRITICAL") == 1
    # A stop does not wait for it, and says that what was not sent will come again.
    assert worker.terminate() == 1
    assert "they will come again" in worker.log
    worker = payment()
    blocked_by(worker, "'payments'", "max.message.bytes")
    topic_settings.change(server, "payments")
    eventually(lambda: len(paid(server)) >= 2060, "the others are paid", 90)

    goes_on(worker, 0)
    assert sorted(paid(server)) == list(range(2060))
    assert metric(worker, "orderapp_retries_total") == 0  # the gateway was asked once


def metric(worker, name):
    found = [
        float(line.rpartition(" ")[2])
        for line in worker.text("/metrics").splitlines()
        if line.startswith(f'{name}{{service="payment"')
    ]
    return sum(found)


@pytest.mark.parametrize(
    ("refusing", "bad", "setting"),
    [
        ({"max_message_bytes": "1000"}, (b"0", b"x" * 5000), "max.message.bytes"),
        ({"cleanup_policy": "compact"}, (None, b"no order"), "cleanup.policy"),
    ],
)
def test_a_dead_letter_that_its_topic_refuses(server, payment, refusing, bad, setting):
    worker = payment().wait_ready()
    before = {(r.partition, r.offset) for r in records.read(server, "orders-dlq")}
    topic_settings.change(server, "orders-dlq", **refusing)
    records.send(server, [bad])
    blocked_by(worker, "'orders-dlq'", setting)
    assert worker.log.count("CRITICAL") == 1
    place = [r for r in records.read(server, "orders") if r.value == bad[1]][-1]
    known = len(paid(server))
    orders = [records.order(100_000 + known + n) for n in range(200)]
    records.send(server, orders)
    elsewhere = {
        int(record.key)
        for record in records.read(server, "orders")
        if record.key in dict(orders) and record.partition != place.partition
    }
    eventually(lambda: elsewhere <= set(paid(server)), "other partitions go on")
    assert len(elsewhere) > 100
    assert records.committed(server, GROUP, "orders").get(place.partition, 0) <= place.offset

    topic_settings.change(server, "orders-dlq")

    eventually(
        lambda: {int(key) for key, _ in orders} <= set(paid(server)), "so does this one", 90
    )
    goes_on(worker, 0)
    letters = records.read(server, "orders-dlq")
    new = [(r.key, r.value) for r in letters if (r.partition, r.offset) not in before]
    assert new == [bad]
