"""Orders that a worker no longer keeps are gone, and `reconcile` knows why."""

import time

from tests.e2e import records
from tests.e2e.worker import eventually, faust

DAY_MS = 86_400_000
OLD, NEW = range(1, 11), range(11, 21)


def test_old_orders_are_deleted_and_missed_by_nobody(start):
    settings = {"ORDERAPP_PAYMENT_DELAY": "0"}
    worker = start(**settings).wait_ready()
    orders = [records.order(n, 400.0, "IN") for n in (*OLD, *NEW)]
    long_ago = round(time.time() * 1000) - 3 * DAY_MS
    records.send(worker.kafka, orders[:10], timestamp=long_ago)
    records.send(worker.kafka, orders[10:])
    eventually(lambda: all(map(worker.paid_order, (OLD[-1], NEW[-1]))), "all are paid")
    assert faust(worker.data_dir, "reconcile", "--wait", "90").returncode == 0
    assert worker.terminate() == 0

    keeps = start(**settings, ORDERAPP_KEEP_DAYS="2").wait_ready()

    eventually(lambda: keeps.get("/api/orders/1")[0] == 404, "the first one is gone")
    totals = eventually(
        lambda: (got := keeps.get("/api/stats")[1].get("orders")) == 10 and got,
        "all old ones are",
    )
    assert totals == 10
    for number in NEW:
        assert keeps.order(number)
    strict = faust(keeps.data_dir, "reconcile", "--wait", "0")
    assert strict.returncode == 1
    knows = faust(keeps.data_dir, "reconcile", "--wait", "90", ORDERAPP_KEEP_DAYS="2")
    assert knows.returncode == 0, knows.stdout
    assert "expired" in knows.stdout
