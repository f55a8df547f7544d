"""Orders of a sender that uses transactions, whose ends take an offset that nobody can read."""

import asyncio

from aiokafka import AIOKafkaProducer

from tests.e2e import records
from tests.e2e.test_metrics import Scrape
from tests.e2e.worker import eventually

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


def test_the_end_of_a_transaction_is_no_order_that_waits(start):
    worker = start(ORDERAPP_PAYMENT_DELAY="0").wait_ready()
    for first_id in (660_000_000, 660_000_100):
        send_transaction(worker.kafka, first_id)
        for order_id in range(first_id, first_id + PARTITIONS):
            eventually(lambda n=order_id: worker.paid_order(n), "the order is paid")
    records.wait_for_ends(worker.kafka, "orders", 4)

    def quiet():
        services = worker.get("/api/stats")[1]["services"]
        now = Scrape(worker)
        return (
            services is not None
            and {(s["lag"], s["oldest_seconds"]) for s in services.values()} == {(0, None)}
            and now("orderapp_consumer_lag_records") == 0
            and now("orderapp_oldest_waiting_seconds") == 0
            and now("orderapp_commit_age_seconds") == 0
        )

    eventually(quiet, "nothing waits")
    order = worker.order(660_000_000)
    assert order["fraud"]["verdict"] in {"ALERT", "CLEAR"}
    # One more is seen to wait, and to be done.
    records.send(worker.kafka, [records.order(660_000_200)])
    eventually(lambda: worker.paid_order(660_000_200), "the order is paid")
    eventually(quiet, "nothing waits")
