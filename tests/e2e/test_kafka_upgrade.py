"""A data directory that the Kafka of an earlier orderapp wrote."""

import tarfile
from pathlib import Path

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually, workers

#: Of Kafka 4.1.0: the records, offsets and SQLite file of 13 orders, all of them paid.
OLD, ORDERS = Path(__file__).with_name("data-of-kafka-4.1.0.tar.gz"), 13


@pytest.fixture
def worker(tmp_path):
    """A worker of today on that directory."""
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path / "data", filter="data")
    with workers(tmp_path / "data") as start:
        yield start().wait_ready()


def test_a_worker_goes_on_where_the_earlier_one_ended(worker):
    records.send(worker.kafka, [records.order(7, 350.0, "DE")])
    eventually(lambda: worker.paid_order(7) and worker.alerts(7), "the new order is paid")

    _, page = worker.get("/api/orders?limit=100")
    paid = [order for order in page["orders"] if order["payment"]["status"] == "PAID"]
    assert len(paid) == ORDERS + 1
    # Not judged or charged again: the offsets are those of the groups.
    for topic in ("orders", "payments"):
        assert sum(records.ends(worker.kafka, topic).values()) == ORDERS + 1
