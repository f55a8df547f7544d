"""What Kafka deletes before it was read is told, noted and counted: on a real broker."""

import asyncio
import json
import re

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from orderapp.engine.health.watch import EVERY
from tests.e2e import records
from tests.e2e.test_metrics import Scrape
from tests.e2e.worker import eventually, faust, rest

PARTITIONS = 6


def delete_records(server, topic, left=2, ends=None):
    """Delete all but the last `left` records of each partition (`ends`: only of these)."""

    async def run(before):
        admin = AIOKafkaAdminClient(bootstrap_servers=server)
        await admin.start()
        try:
            await admin.delete_records(
                {TopicPartition(topic, p): at for p, at in before.items()}
            )
        finally:
            await admin.close()

    ends = ends or records.ends(server, topic)
    before = {p: RecordsToDelete(before_offset=max(0, end - left)) for p, end in ends.items()}
    asyncio.run(run(before))


def send_to_each(server, first_id, count, topic="orders"):
    """`count` orders to every partition; their ids."""
    ids = range(first_id, first_id + count * PARTITIONS)
    records.send(server, map(records.order, ids), partitioner=_in_turn())
    return ids


def send_to_first(server, ids):
    """Orders to the first partition, a few thousand at a time; 30,000 are more than a worker
    holds, however it reads them."""
    ids = list(ids)
    for start in range(0, len(ids), 5_000):
        some = [records.order(n, note="x" * 1_000) for n in ids[start : start + 5_000]]
        records.send(server, some, partitioner=lambda key, every, available: every[0])


def delete_topic(server, topic):
    """Delete it, and all that it has."""

    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=server)
        await admin.start()
        await admin.delete_topics([topic])
        await admin.close()

    asyncio.run(run())


def _in_turn():
    state = iter(range(10**9))
    return lambda key, every, available: every[next(state) % len(every)]


@pytest.fixture
def settings(kafka):
    return {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "ORDERAPP_PAYMENT_DELAY": "0"}


def lost(worker, settings, *options, wait="0"):
    """What `reconcile` says of lost records, by group and topic, and its exit status."""
    run = faust(worker.data_dir, "reconcile", "--json", "--wait", wait, *options, **settings)
    groups = json.loads(run.stdout)["lost"]["groups"]
    return {(g["group"], g["topic"]): g["records"] for g in groups}, run.returncode


def test_what_was_deleted_while_nobody_ran_is_told_noted_and_counted(kafka, start, settings):
    server = kafka.bootstrap_servers
    worker = start(**settings).wait_ready()
    begun = dict.fromkeys(range(PARTITIONS), 0)
    eventually(lambda: records.committed(server, "orderapp", "orders") == begun, "it begins")
    worker.terminate()
    ids = send_to_each(server, 1000, 10)
    delete_records(server, "orders")
    assert lost(worker, settings) == ({("orderapp", "orders"): 48}, 1), "also before a start"

    worker = start(**settings).wait_ready()
    eventually(lambda: all(map(worker.paid_order, ids[-12:])), "what is left is paid")
    assert worker.log.count("[ERROR]") == PARTITIONS
    assert "orders[3]: up to 8 records were deleted" in worker.log
    assert "offsets 0 to 7, sent before 20" in worker.log
    assert Scrape(worker)("orderapp_records_lost_total", topic="orders") == 48
    eventually(worker.is_ready, "it is ready all the same")
    eventually(
        lambda: set(records.committed(server, "orderapp", "orders").values()) == {10}, "done"
    )
    # For good, and once: neither another start nor what is read later changes it.
    worker.kill()
    worker = start(**settings).wait_ready()
    assert "[ERROR]" not in worker.log
    assert lost(worker, settings, wait="60") == ({("orderapp", "orders"): 48}, 1)
    assert lost(worker, settings, "--allow-lost", wait="60")[1] == 0
    run = faust(worker.data_dir, "dlq", "list", **settings)
    assert (run.returncode, "no note" in run.stderr) == (0, False)


def test_what_is_deleted_while_the_worker_is_behind_is_told(empty_kafka, start, tmp_path):
    server = empty_kafka.bootstrap_servers
    # A gateway so slow that the rest waits in Kafka.
    slow = {
        "KAFKA_BOOTSTRAP_SERVERS": server,
        "ORDERAPP_SERVICES": "payment,web",
        "ORDERAPP_PAYMENT_DELAY": "8",
    }
    worker = start(**slow).wait_ready()
    send_to_first(server, range(30_000))
    delete_records(server, "orders", ends={0: 30_002})
    send_to_first(server, [99_999])
    eventually(lambda: "were deleted" in worker.log, "it is told", 90)
    (first, last) = re.search(r"orders\[0\]: .* offsets (\d+) to (\d+)", worker.log).groups()
    assert 0 < int(first) < int(last) == 29_999
    found = int(last) + 1 - int(first)
    assert Scrape(worker)("orderapp_records_lost_total", group="payment-group") == found

    # The same for what goes with its topic.
    send_to_first(server, range(100_000, 130_000))
    rest(2 * EVERY)  # the watch has seen how much there is
    delete_topic(server, "orders")
    eventually(lambda: "with their topic" in worker.log, "it is told", 60)
    notes = records.read(server, "orders-dlq-resolved")
    assert any(b'"with_topic":true' in note.value for note in notes)
