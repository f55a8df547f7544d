"""Ids of orders, with real workers and a real Kafka."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from orderapp.order_ids import END, FIRST
from tests.e2e import records
from tests.e2e.test_api import HARMLESS, accepted
from tests.e2e.worker import eventually


@pytest.mark.timeout(400)
def test_two_workers_and_the_producer_make_no_id_twice_and_ids_rise(start):
    all_services = start(ORDERAPP_ORDER_INTERVAL="0.05").wait_ready()
    web = start(ORDERAPP_SERVICES="web").wait_ready()

    def send(worker):
        return [accepted(worker, HARMLESS)[1]["order"]["order_id"] for _ in range(150)]

    with ThreadPoolExecutor(4) as pool:
        posted = [*pool.map(send, (all_services, web, all_services, web))]
    eventually(lambda: len(ids_of(web)) > 650, "the producer has sent some as well")
    web.kill()
    web.start().wait_ready()
    later = send(web)

    for one in (*posted, later):
        assert sorted(one) == one
    found = ids_of(web)
    assert len(found) == len(set(found)) > 800
    assert FIRST <= min(found) <= max(found) < END


def ids_of(worker):
    return [
        json.loads(record.value)["order_id"] for record in records.read(worker.kafka, "orders")
    ]
