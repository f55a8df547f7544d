"""Topics that are deleted, made anew, or grow while workers run: on a real broker."""

import asyncio
import json
import urllib.error
import urllib.request

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from tests.e2e import records
from tests.e2e.test_metrics import Scrape
from tests.e2e.worker import eventually, faust

SEEN_SECONDS = 60


def manage(server, *steps):
    """Ask Kafka's admin for one thing after the other."""

    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=server)
        await admin.start()
        try:
            for method, argument in steps:
                await getattr(admin, method)(argument)
        finally:
            await admin.close()

    asyncio.run(run())


@pytest.fixture
def worker(empty_kafka, start):
    # Slow enough that orders are in work when their topic goes.
    server = empty_kafka.bootstrap_servers
    return start(KAFKA_BOOTSTRAP_SERVERS=server, ORDERAPP_PAYMENT_DELAY="0.3").wait_ready()


def send(server, *order_ids):
    records.send(server, map(records.order, order_ids))


def wait_paid(worker, order_ids):
    for order_id in order_ids:
        what = f"{order_id} is paid"
        eventually(lambda n=order_id: worker.paid_order(n), what, SEEN_SECONDS)


def missing(worker):
    return str(worker.get("/readyz")[1].get("missing"))


def post(worker):
    """The status of an order that is sent by HTTP."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{worker.port}/api/orders",
        data=json.dumps({"customer_id": 1234, "amount": 5.0, "country": "DE"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        return answer.code


ORDERS = NewTopic("orders", 6, 1)


def test_topics_that_go_come_again_and_grow_are_seen(worker, empty_kafka):
    server = empty_kafka.bootstrap_servers
    send(server, *range(1, 61))
    eventually(lambda: all(map(worker.order, range(1, 61))), "they are read")

    # It goes: what was read is done, and nothing is accepted.
    manage(server, ("delete_topics", ["orders"]))
    command = "kafka-topics --create --topic orders --partitions 6"
    eventually(lambda: command in missing(worker), "it says what to do", SEEN_SECONDS)
    assert post(worker) == 503
    wait_paid(worker, range(1, 61))

    # It comes again, and begins at its beginning.
    manage(server, ("create_topics", [ORDERS]))
    send(server, *range(101, 161))
    wait_paid(worker, range(101, 161))
    worker.wait_ready(SEEN_SECONDS)
    assert post(worker) == 202

    # Nobody sees that it is missing, and the new one grows at once beyond the old one's end,
    # while the old one's offsets are committed.
    manage(server, ("delete_topics", ["orders"]), ("create_topics", [ORDERS]))
    send(server, *range(201, 321))
    wait_paid(worker, range(201, 321))

    manage(server, ("create_partitions", {"orders": NewPartitions(8)}))
    eventually(lambda: "orders 0-7" in worker.log, "the new ones are read", SEEN_SECONDS)
    send(server, *range(401, 461))
    wait_paid(worker, range(401, 461))

    def all_committed():
        ends = records.ends(server, "orders")
        return len(ends) == 8 and records.committed(server, "orderapp", "orders") == ends

    eventually(all_committed, "all is committed")
    eventually(
        lambda: Scrape(worker)("orderapp_consumer_lag_records", partition="7") == 0, "no"
    )
    assert "Traceback" not in worker.log
    assert worker.log.count("[CRITICAL]") == 1
    # Documents of orders that went with their topic are older than what it has.
    options = ("--json", "--wait", "60")
    run = faust(worker.data_dir, "reconcile", *options, **worker.settings)
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout)["apart"]["retired"] > 0
    assert worker.terminate() == 0
