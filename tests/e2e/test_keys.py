"""Idempotency keys over several workers: real ones, a real Kafka, both stores.

200 keys at once at two workers, one of which is killed in the middle: each key makes one
record, and every answer that a client gets for it is the same.
"""

import http.client
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.couchbase_double import couchbase_double
from tests.e2e import records
from tests.e2e.test_api import HARMLESS, RISKY, post
from tests.e2e.worker import eventually

KEYS = [f"key-{n}" for n in range(200)]


@pytest.fixture(params=["sqlite", "couchbase"])
def settings(request):
    if request.param == "sqlite":
        yield {}
        return
    with couchbase_double() as double:
        yield double.environment


def insist(worker, key, body=HARMLESS, seconds=120):
    """Post until it is answered with anything but 503; None when the worker has gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            status, answer, _ = post(worker, body, key)
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return None
        if status != 503:
            return status, answer
        time.sleep(0.1)
    raise AssertionError(f"{key}: always 503")


def sent(worker):
    """How many records each order has on the topic."""
    return Counter(record.key for record in records.read(worker.kafka, "orders"))


@pytest.mark.timeout(400)
def test_a_key_at_two_workers_is_one_order_whoever_is_killed(start, settings):
    settings = {"ORDERAPP_ORDER_INTERVAL": "3600", **settings}
    left = start(**settings).wait_ready()
    dying = start(ORDERAPP_SERVICES="web", **settings).wait_ready()
    for worker in (left, dying):
        assert insist(worker, "before")[0] == 202
    before = sent(left)
    answered = threading.Semaphore(0)

    def ask(worker, key):
        found = insist(worker, key)
        answered.release()
        return found

    with ThreadPoolExecutor(64) as pool:
        asked = [
            (key, pool.submit(ask, worker, key)) for key in KEYS for worker in (dying, left)
        ]
        for _ in range(100):
            answered.acquire()
        dying.kill()
        answers = [(key, future.result()) for key, future in asked]
        # Who had no answer from the one that died asks the other one.
        again = [(key, pool.submit(insist, left, key)) for key, found in answers if not found]
        answers += [(key, future.result()) for key, future in again]

    assert again, "nothing was under way when it was killed"
    assert {found[0] for _, found in answers if found} == {202}
    orders = {key: {json.dumps(f[1]) for k, f in answers if f and k == key} for key in KEYS}
    assert [key for key, found in orders.items() if len(found) != 1] == []
    found = sent(left) - before
    assert len(found) == len(KEYS)
    assert [key for key, count in found.items() if count > 1] == []
    assert insist(left, KEYS[0], RISKY)[0] == 422


@pytest.mark.timeout(400)
@pytest.mark.parametrize("settings", ["couchbase"], indirect=True)
def test_without_its_store_a_worker_takes_no_key_and_other_orders(start, settings):
    missing = settings | {"COUCHBASE_HOST": "127.0.0.1:1"}
    worker = start(ORDERAPP_SERVICES="web", **missing)

    def is_taken():
        try:
            return post(worker, HARMLESS)[0] == 202
        except OSError:
            return False  # its port is not open yet

    eventually(is_taken, "an order without a key is taken", 60)

    status, answer, headers = post(worker, HARMLESS, "k")

    assert (status, "store" in answer["detail"]) == (503, True)
    assert headers["Retry-After"]
