"""Who works on a partition when a worker stops, dies or comes back."""

import time
from collections import Counter

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually, rest


def payments(server):
    return records.values(records.read(server, "payments"))


@pytest.fixture
def pair(start):
    """Two workers that share the partitions."""

    def begin(**settings):
        found = [start(**settings, **more).wait_ready() for more in ({}, {})]
        eventually(lambda: all(worker.is_ready() for worker in found), "both are ready")
        return found

    return begin


def test_a_worker_that_stops_in_order_hands_over_and_nothing_is_done_twice(pair):
    # No session ends: they would be done twice where the machine pauses for longer.
    staying, leaving = pair(ORDERAPP_PAYMENT_DELAY="0.05", ORDERAPP_SESSION_TIMEOUT="60")
    server, sent = staying.kafka, 0

    def send(count):
        nonlocal sent
        records.send(server, [records.order(sent + n) for n in range(1, count + 1)])
        sent += count

    for _ in range(10):
        send(30)
    began = time.monotonic()
    assert leaving.terminate() == 0
    stopped = time.monotonic() - began
    send(300)
    eventually(lambda: len(payments(server)) >= sent, "all are paid")
    taken_over = time.monotonic() - began

    counts = Counter(payment["order_id"] for payment in payments(server))
    assert counts == Counter(range(1, sent + 1))
    print(f"stopped after {stopped:.1f} s, all paid after {taken_over:.1f} s")


def test_a_worker_with_an_instance_id_comes_back_to_its_partitions(start):
    # Longer than a worker of a loaded machine takes to come back.
    session = {"ORDERAPP_SESSION_TIMEOUT": "80"}
    other = start(ORDERAPP_INSTANCE_ID="one", **session).wait_ready()
    worker = start(ORDERAPP_INSTANCE_ID="two", **session).wait_ready()
    server = other.kafka
    eventually(lambda: other.is_ready() and worker.is_ready(), "both are ready")
    eventually(
        lambda: other.log.count("this worker reads") > 1,
        "it gave up partitions when the other one came",
    )
    rest(2)
    rebalances = other.log.count("this worker reads")
    assert worker.terminate() == 0
    records.send(server, [records.order(n) for n in range(1, 61)])

    worker.start()
    worker.wait_ready()

    eventually(lambda: len(payments(server)) >= 60, "all are paid")
    assert sorted(p["order_id"] for p in payments(server)) == list(range(1, 61))
    assert other.log.count("this worker reads") == rebalances


def test_a_worker_that_stops_in_the_middle_of_a_rebalance_ends_in_order(pair, start):
    # So long that the third one has come before the session of the killed one ends.
    stopping, killed = pair(ORDERAPP_SESSION_TIMEOUT="60")
    records.send(stopping.kafka, [records.order(n) for n in range(1, 101)])
    # The group waits for the killed one until its session ends, and the rebalance lasts.
    killed.kill()
    start(ORDERAPP_SESSION_TIMEOUT="60")
    eventually(lambda: stopping.get("/readyz")[0] == 503, "the group rebalances")

    assert stopping.terminate() == 0
    assert "Traceback" not in stopping.log
