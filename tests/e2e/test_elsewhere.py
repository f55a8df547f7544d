"""Kafka and the store somewhere else: a secured cluster, Couchbase, and what is away."""

import asyncio
import json

import pytest

from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.topic_settings import TopicSpec
from tests.couchbase_double import couchbase_double
from tests.e2e import records
from tests.e2e.secure_kafka import secure_kafka
from tests.e2e.worker import eventually, faust
from tests.ports import free_port

RISKY = '{"order_id":123,"customer_id":1234,"amount":350,"country":"DE"}'


@pytest.fixture
def secured(tmp_path):
    with secure_kafka(tmp_path) as running:
        yield running


# Fixtures that a worker needs come before `start`: workers end first.
@pytest.fixture
def double():
    with couchbase_double() as running:
        yield running


def test_the_trace_runs_through_confluents_way_in(secured, start):
    kafka = secured
    access = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CONFLUENT_API_KEY": kafka.api_key,
        "CONFLUENT_API_SECRET": kafka.api_secret,
        "SSL_CERT_FILE": str(kafka.ca_file),
    }
    worker = start(**access).wait_ready()

    sent = faust(worker.data_dir, "send", "orders", RISKY, "--key", "123", **access)

    assert sent.returncode == 0, sent.stderr
    order = eventually(lambda: worker.paid_order(123), "order 123 is paid")
    assert order["payment"]["status"] == "PAID"
    eventually(lambda: worker.alerts(123), "order 123 has its alert")
    assert kafka.api_secret not in worker.log

    wrong = {**access, "CONFLUENT_API_SECRET": "not-the-secret"}
    for arguments in (
        ["worker", "-p", str(free_port())],
        ["send", "orders", RISKY, "--key", "124"],
    ):
        refused = faust(worker.data_dir, *arguments, **wrong)
        lines = error_lines(refused)
        assert refused.returncode != 0
        assert len(lines) == 1, lines
        assert "CONFLUENT_API_KEY 'TESTKEY1234'" in lines[0]
        assert "not-the-secret" not in refused.stdout + refused.stderr

    untrusted = faust(
        worker.data_dir,
        "worker",
        "-p",
        str(free_port()),
        **{**access, "SSL_CERT_FILE": "/dev/null"},
    )
    assert untrusted.returncode != 0
    assert "is not trusted" in error_lines(untrusted)[0]


def error_lines(result):
    """What a person sees of an error: the lines that are not Faust's banner or notes."""
    assert "Traceback" not in result.stderr + result.stdout, result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    return [line for line in lines if "CRITICAL" in line or line.startswith("orderapp:")]


def test_the_trace_runs_into_couchbase(double, start):
    worker = start(**double.environment).wait_ready()

    faust(worker.data_dir, "send", "orders", RISKY, "--key", "123")

    eventually(lambda: worker.paid_order(123), "order 123 is paid")
    eventually(lambda: worker.alerts(123), "order 123 has its alert")
    _, answer = eventually(
        lambda: (got := worker.get("/api/analytics"))[0] == 200 and got, "the latest are listed"
    )
    assert [order["order_id"] for order in answer["orders"]] == [123]
    documents = double.documents()
    alert = "alert::123::HIGH_AMOUNT_RISKY_COUNTRY"
    assert {"123", alert, "payment::123"} == set(documents)
    order = documents["123"]
    assert (
        order["type"],
        order["amount"],
        order["customer_id"],
        order["country"],
        order["kafka_offset"],
    ) == ("order", 350.0, 1234, "DE", 0)
    assert 0 <= order["kafka_partition"] <= 5
    assert documents["payment::123"]["payment_id"] == "pay-123"


def test_a_store_that_is_away_stops_nothing_but_the_storing(double, start):
    double.stop()
    worker = start(**double.environment)
    eventually(lambda: worker.get("/healthz")[0] == 200, "it is alive")
    eventually(lambda: "store: " in worker.log and "next attempt" in worker.log, "it says so")
    status, answer = eventually(
        lambda: (got := worker.get("/readyz"))[0] == 503 and "store" in str(got) and got,
        "it says what is missing",
    )
    assert (status, answer["status"]) == (503, "unavailable")
    eventually(lambda: "embedded Kafka at port" in worker.log, "Kafka is there")
    eventually(lambda: "Worker ready" in worker.log, "the pipeline runs")

    records.send(worker.kafka, [records.order(n) for n in range(1, 51)])

    eventually(
        lambda: len(records.read(worker.kafka, "payments")) == 50, "orders are paid meanwhile"
    )
    assert worker.get("/api/orders/1")[0] == 503
    assert worker.get("/api/analytics")[0] == 503
    assert sum(records.committed(worker.kafka, "orderapp", "orders").values()) == 0

    double.start()

    worker.wait_ready()
    eventually(lambda: double.count() == 100, "orders and payments are stored")
    eventually(
        lambda: sum(records.committed(worker.kafka, "orderapp", "orders").values()) == 50,
        "and committed",
    )


def test_a_store_that_goes_away_and_hangs_comes_back_with_everything(double, start):
    worker = start(**double.environment).wait_ready()
    records.send(worker.kafka, [records.order(n) for n in range(1, 21)])
    eventually(lambda: double.count() == 40, "20 are stored")

    double.pause()
    records.send(worker.kafka, [records.order(n) for n in range(21, 41)])
    # Its own limit is 1.8 s: what hangs is answered all the same.
    assert worker.get("/api/analytics", timeout=20)[0] == 503
    eventually(lambda: worker.get("/readyz")[0] == 503, "it is not ready")
    assert worker.get("/healthz") == (200, {"status": "ok"})
    double.heal()

    eventually(lambda: double.count() == 80, "all are stored", 60)
    worker.wait_ready()


def test_a_worker_waits_for_a_broker_that_is_away_and_goes_on(own_kafka, start):
    kafka = own_kafka
    kafka.stop()
    worker = start(KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers)
    eventually(lambda: worker.get("/healthz")[0] == 200, "it is alive")
    _, answer = eventually(
        lambda: (got := worker.get("/readyz"))[0] == 503 and got, "it is not ready"
    )
    assert answer["status"] == "unavailable"
    assert "Kafka is not reachable yet" in answer["missing"]
    eventually(lambda: "attempt 3" in worker.log, "it says so, with growing waits")

    kafka.restart()

    worker.wait_ready()
    records.send(kafka.bootstrap_servers, [records.order(1)])
    eventually(lambda: worker.paid_order(1), "the order is paid")

    kafka.kill()
    eventually(lambda: worker.get("/healthz")[0] == 200, "it is alive")
    kafka.restart()
    eventually(lambda: _try_send(kafka.bootstrap_servers, records.order(2)), "it is back", 60)
    eventually(lambda: worker.paid_order(2), "the next order is paid", 60)


def _try_send(server, message):
    try:
        records.send(server, [message])
    except Exception as error:
        return print(error)
    return True


def test_a_worker_that_waits_for_its_broker_ends_at_once(start):
    worker = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    eventually(lambda: "attempt 2" in worker.log, "it waits")

    assert worker.terminate() == 0
    assert worker.took < 8


def test_a_command_gives_up_on_a_broker_that_is_away_in_one_line(tmp_path):
    (tmp_path / "data").mkdir()
    ended = faust(
        tmp_path / "data", "send", "orders", RISKY, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"
    )

    assert ended.returncode == 1
    assert "127.0.0.1:1" in error_lines(ended)[0]


def test_topics_with_fewer_partitions_work(empty_kafka, start):
    kafka = empty_kafka
    _create_topics(kafka.bootstrap_servers, {"orders": 6, "payments": 2, "fraud-alerts": 1})
    worker = start(KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers).wait_ready()
    assert "topic payments has 2 partitions instead of 6" in worker.log

    records.send(kafka.bootstrap_servers, [records.order(n, 400.0, "DE") for n in range(1, 61)])

    for n in range(1, 61):
        eventually(lambda n=n: worker.paid_order(n), f"order {n} is paid")
        eventually(lambda n=n: worker.alerts(n), f"order {n} has its alert")


def _create_topics(server, partitions):
    specs = [TopicSpec(name, number) for name, number in partitions.items()]
    asyncio.run(Cluster((server,)).prepare(specs))


BAD_SETTINGS = {
    "KAFKA_BOOTSTRAP_SERVERS": "broker",
    "CONFLUENT_API_KEY": "key-alone",
    "COUCHBASE_HOST": "couchbase://db",
    "ORDERAPP_SERVICES": "fraud,fruad",
    "ORDERAPP_SERVICE": "fraud",
    "ORDERAPP_ORDER_INTERVAL": "often",
    "ORDERAPP_PAYMENT_DELAY": "-1",
    "ORDERAPP_WEB_HOST": "http://x",
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_a_bad_setting_ends_the_start_in_one_line(tmp_path, name):
    ended = faust(tmp_path / "data", "worker", **{name: BAD_SETTINGS[name]})

    assert ended.returncode != 0
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert name in ended.stderr


def test_metadata_of_a_send_is_json(kafka, tmp_path):
    (tmp_path / "data").mkdir()
    sent = faust(
        tmp_path / "data",
        *("send", "orders", RISKY, "--key", "123"),
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
    )

    assert json.loads(sent.stdout)["topic"] == "orders", sent.stderr


def test_a_worker_whose_broker_is_gone_stops_in_time(own_kafka, start):
    worker = start(KAFKA_BOOTSTRAP_SERVERS=own_kafka.bootstrap_servers).wait_ready()
    records.send(own_kafka.bootstrap_servers, [records.order(n) for n in range(1, 101)])
    eventually(lambda: worker.paid_order(1), "it works")

    own_kafka.kill()

    worker.terminate()
    assert worker.took < 10
