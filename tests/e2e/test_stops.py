"""A worker that is told to stop while Kafka is away."""

import re
import signal
from contextlib import contextmanager

import pytest

from tests.e2e import records
from tests.e2e.kafka import plain_kafka
from tests.e2e.test_metrics import Scrape
from tests.e2e.worker import eventually

NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """One that is killed and started again."""
    with plain_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@contextmanager
def away(kafka, how):
    """Kafka is killed, or hangs, in the block."""
    if how == "killed":
        kafka.kill()
    else:
        kafka.java.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if how == "killed":
            kafka.restart()
        else:
            kafka.java.process.send_signal(signal.SIGCONT)


def stop(worker, number=signal.SIGTERM):
    """The exit status, the seconds (without pauses of the machine), and what was logged
    meanwhile."""
    before = len(worker.log)
    worker.process.send_signal(number)
    status = worker.wait()
    took, log = worker.took, worker.log[before:]
    print(f"status {status} after {took:.1f} s")
    for unwanted in ("did not stop", "Traceback", "never retrieved"):
        assert unwanted not in log, log
    return status, took, log


def comes_again(log, what):
    """The topics and the number of records of the line that tells what will come again."""
    lines = re.findall(r"(\S+ [\d,-]+): (\d+) records? (.*); (?:they|it) will come again", log)
    assert len(lines) == 1, log
    where, count, told = lines[0]
    assert told.endswith(what), log
    return where.split()[0], int(count)


def holds(worker):
    """How many deliveries it has read and is not done with."""
    return Scrape(worker)("orderapp_held_batches")


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_with_nothing_under_way_it_ends_soon_and_well(start, kafka, how):
    worker = start(KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers).wait_ready()

    with away(kafka, how):
        eventually(lambda: worker.get("/readyz")[0] == 503, "it knows that Kafka is away")
        status, took, log = stop(worker)

    assert status == 0, log
    assert took < 4, log
    assert "will come again" not in log


@pytest.mark.parametrize("how", ["never there", "hung"])
def test_before_it_has_met_kafka_it_ends_at_once_and_well(start, kafka, how):
    with away(kafka, "hung"):
        server = NOBODY if how == "never there" else kafka.bootstrap_servers
        worker = start(KAFKA_BOOTSTRAP_SERVERS=server)
        eventually(lambda: worker.get("/healthz")[0] == 200, "it runs")
        status, took, log = stop(worker, signal.SIGINT)

    assert status == 0, log
    assert took < 4, log


def test_while_the_embedded_kafka_starts_it_ends_at_once_and_well(start_alone):
    worker = start_alone()
    eventually(lambda: "Starting the embedded Kafka" in worker.log, "it starts Kafka")

    status, took, log = stop(worker)

    assert status == 0, log
    assert took < 4, log
    assert "CRITICAL" not in log


def test_what_is_done_and_can_not_be_committed_is_told(start, kafka):
    worker = start(
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
        ORDERAPP_SERVICES="analytics,web",
        ORDERAPP_FAULT_STORE_SLOW="1",
    ).wait_ready()
    records.send(kafka.bootstrap_servers, [records.order(n) for n in range(1, 13)])
    eventually(lambda: holds(worker), "it has read them")

    with away(kafka, "hung"):
        eventually(lambda: not holds(worker), "they are stored")
        status, took, log = stop(worker)

    assert status == 1, log
    assert took < 4, log
    where, count = comes_again(log, "done but not committed")
    assert where == "orders"
    assert 0 < count <= 12


def test_what_can_not_be_finished_is_told_and_done_by_the_next_worker(start, kafka):
    server = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    worker = start(**server, ORDERAPP_PAYMENT_DELAY="1").wait_ready()
    sent = {201 + n for n in range(12)}
    records.send(kafka.bootstrap_servers, [records.order(n) for n in sent])
    eventually(lambda: holds(worker), "it has read them")

    with away(kafka, "killed"):
        worker.process.send_signal(signal.SIGTERM)
        eventually(lambda: "Worker stopping:" in worker.log, "it stops")
        status, took, log = stop(worker, signal.SIGTERM)

    assert "Worker is already stopping" in log
    assert status == 1, log
    assert took < 8, log
    where, count = comes_again(log, "read but not finished")
    assert where == "orders"
    assert count > 0
    start(**server).wait_ready()
    eventually(
        lambda: sent <= {int(r.key) for r in records.read(kafka.bootstrap_servers, "payments")},
        "the next one pays them",
    )
