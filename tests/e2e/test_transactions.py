"""Senders that use transactions: what is open or was aborted counts for nothing, and the ends
of transactions take offsets that nobody can read."""

import asyncio
import json
import re

import pytest
from aiokafka import AIOKafkaProducer

from tests.e2e import records
from tests.e2e.test_metrics import Scrape
from tests.e2e.worker import eventually, faust, workers

PARTITIONS = 6


def send_transaction(server, first_id):
    """One order to each partition."""

    async def run():
        async with (
            AIOKafkaProducer(bootstrap_servers=server, transactional_id="shop") as producer,
            producer.transaction(),
        ):
            for partition in range(PARTITIONS):
                key, value = records.order(first_id + partition)
                await producer.send_and_wait("orders", value, key, partition=partition)

    asyncio.run(run())


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """One for all tests of this file, which have orders of their own."""
    with workers(tmp_path_factory.mktemp("transactions") / "data") as start:
        yield start(ORDERAPP_PAYMENT_DELAY="0").wait_ready()


def test_the_end_of_a_transaction_is_no_order_that_waits(worker):
    for first_id in (660_000_000, 660_000_100):
        send_transaction(worker.kafka, first_id)
        for order_id in range(first_id, first_id + PARTITIONS):
            eventually(lambda n=order_id: worker.paid_order(n), "the order is paid")
    records.wait_for_ends(worker.kafka, "orders", 4)

    def quiet():
        services = worker.get("/api/stats")[1].get("services")
        now = Scrape(worker)
        return (
            services is not None
            and {(s["lag"], s["oldest_seconds"]) for s in services.values()} == {(0, None)}
            and now("orderapp_consumer_lag_records") == 0
            and now("orderapp_oldest_waiting_seconds") == 0
            and now("orderapp_commit_age_seconds") == 0
        )

    eventually(quiet, "nothing waits")
    eventually(lambda: verdict(worker, 660_000_000) in {"ALERT", "CLEAR"}, "it is judged")
    # One more is seen to wait, and to be done.
    records.send(worker.kafka, [records.order(660_000_200)])
    eventually(lambda: worker.paid_order(660_000_200), "the order is paid")
    eventually(quiet, "nothing waits")


class Shop:
    """A sender whose transactions stay open until it says so; its loop runs only meanwhile."""

    def __init__(self, server):
        self._runner = asyncio.Runner()
        self._producer = self._runner.run(self._start(server))

    @staticmethod
    async def _start(server):
        producer = AIOKafkaProducer(
            bootstrap_servers=server,
            transactional_id="open-shop",
            transaction_timeout_ms=600_000,
        )
        await producer.start()
        return producer

    def send(self, topic, messages):
        """Begin a transaction and send; returns when Kafka has all of it, uncommitted."""
        self._runner.run(self._send(topic, messages))

    async def _send(self, topic, messages):
        if not self._producer._txn_manager.is_in_transaction():
            await self._producer.begin_transaction()
        for number, (key, value) in enumerate(messages):
            await self._producer.send_and_wait(topic, value, key, partition=number % PARTITIONS)

    def commit(self):
        self._runner.run(self._producer.commit_transaction())

    def abort(self):
        self._runner.run(self._producer.abort_transaction())

    def close(self):
        self._runner.run(self._producer.stop())
        self._runner.close()


@pytest.fixture
def shop(worker):
    one = Shop(worker.kafka)
    yield one
    one.close()


def orders_from(first_id, count=20):
    return [records.order(first_id + n, 400.0, "IN") for n in range(count)]


def spread(worker, messages):
    """Send, outside any transaction, the same number of orders to each partition."""
    for partition in range(PARTITIONS):
        own = messages[partition::PARTITIONS]
        records.send(worker.kafka, own, partitioner=lambda _k, _all, _some, p=partition: p)


def ids_in(worker, topic):
    ids = {value["order_id"] for value in records.values(records.read(worker.kafka, topic))}
    return {order_id for order_id in ids if order_id >= 661_000_000}


def stats(worker):
    """Those of a moment in which Kafka and the store have answered in time."""
    return eventually(
        lambda: (got := worker.get("/api/stats")[1]).get("services") and got, "stats"
    )


def verdict(worker, order_id):
    return worker.order(order_id)["fraud"]["verdict"]


def reconciled(worker, wait="0"):
    run = faust(worker.data_dir, "reconcile", "--wait", wait, "--json")
    assert run.stderr == ""
    report = json.loads(run.stdout)
    held_back = report["apart"]["behind_open_transactions"]
    return run.returncode, report["orders"], report["records"]["orders"], held_back


def test_orders_count_when_their_transaction_is_committed_and_never_when_it_is_aborted(
    worker, shop
):
    known = reconciled(worker, wait="10")[1]
    before, behind = orders_from(661_000_000, 6), orders_from(661_000_100, 6)
    spread(worker, before)
    shop.send("orders", orders_from(661_001_000))
    spread(worker, behind)

    eventually(lambda: worker.paid_order(661_000_005), "what came before is paid")
    eventually(lambda: stats(worker)["open_transactions"].get("orders", 0) > 10, "it is old")
    eventually(
        lambda: Scrape(worker)("orderapp_open_transaction_seconds", topic="orders") > 10,
        "the metrics say so",
    )
    eventually(
        lambda: {s["lag"] for s in stats(worker)["services"].values()} == {0}, "none waits"
    )
    eventually(worker.is_ready, "it is ready")
    assert worker.get("/healthz")[0] == 200
    told = r"a transaction of a producer has been open for [1-9]\d s: .*orders\[5\]@\d"
    eventually(lambda: re.search(told, worker.log), "the log says so")
    paid = {661_000_000 + n for n in range(6)}
    assert ids_in(worker, "payments") == ids_in(worker, "fraud-alerts") == paid
    assert reconciled(worker, wait="10") == (0, known + 6, known + 6, 26)

    shop.abort()
    for order_id in range(661_000_100, 661_000_106):
        eventually(lambda n=order_id: worker.paid_order(n), "what came behind it is paid")
    eventually(lambda: stats(worker)["open_transactions"] == {}, "none is open")
    paid |= {661_000_100 + n for n in range(6)}
    assert ids_in(worker, "payments") == paid

    shop.send("orders", orders_from(661_002_000))
    shop.commit()
    paid |= {661_002_000 + n for n in range(20)}
    eventually(lambda: ids_in(worker, "payments") == paid, "all is paid when it is committed")
    assert ids_in(worker, "fraud-alerts") == paid
    assert reconciled(worker, wait="10") == (0, known + 32, known + 32, 0)
    assert "stalled" not in worker.log


def test_what_was_aborted_at_the_end_of_a_topic_holds_nothing_up(worker, shop):
    known = reconciled(worker, wait="10")[1]
    spread(worker, orders_from(662_000_000, 6))
    eventually(lambda: worker.paid_order(662_000_005), "the orders are paid")
    for topic in ("orders", "fraud-alerts", "payments", "orders-dlq"):
        shop.send(topic, [(b"1", b"never sent")] * 60)
    shop.send("orders-dlq-resolved", [(b"0:0", b"never sent")])
    listed = faust(worker.data_dir, "dlq", "list")
    assert (listed.returncode, listed.stdout) == (0, "")
    dead, notes, none = listed.stderr.splitlines()
    assert dead.startswith("orderapp: 60 records of orders-dlq are not read: they lie behind a")
    assert notes.startswith("orderapp: 1 records of orders-dlq-resolved are not read")
    assert none == "no open dead letters"
    shop.abort()

    def quiet():
        found = stats(worker)
        return (
            found["open_transactions"] == {}
            and found["dead_letters"] == 0
            and {(s["lag"], s["oldest_seconds"]) for s in found["services"].values()}
            == {(0, None)}
            and Scrape(worker)("orderapp_consumer_lag_records") == 0
        )

    eventually(quiet, "nothing waits")
    eventually(lambda: verdict(worker, 662_000_000) == "ALERT", "it is judged")
    assert reconciled(worker, wait="10") == (0, known + 6, known + 6, 0)
    listed = faust(worker.data_dir, "dlq", "list")
    assert (listed.returncode, listed.stderr) == (0, "no open dead letters\n")
    assert "never sent" not in worker.log
    # The verdict of an order without alert needs to know that no alert is on its way.
    key, value = records.order(662_000_100, 10.0, "US")
    records.send(worker.kafka, [(key, value)])
    eventually(lambda: worker.paid_order(662_000_100), "the order is paid")
    eventually(lambda: verdict(worker, 662_000_100) == "CLEAR", "its verdict is known")
