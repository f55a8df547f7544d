"""A store that can be read and not written to: the worker says so, and recovers by itself."""

import contextlib
import re
import resource
import sqlite3
import time

from tests.couchbase_double import couchbase_double
from tests.e2e import records
from tests.e2e.worker import eventually

LINE = r"stands still: (store: upsert|analytics: 1 from orders\[\d\])"


def standing_still(worker):
    """What `/readyz` says of work that can't be done."""
    status, answer = worker.get("/readyz")
    missing = answer["missing"] if status == 503 else []
    return [line for line in missing if line.startswith("stands still: ")]


@contextlib.contextmanager
def locked(worker):
    with contextlib.closing(sqlite3.connect(worker.data_dir / "orders.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextlib.contextmanager
def disk_full(worker):
    """No file of the worker's may grow, as on a disk that is full."""
    pid = worker.process.pid
    size = (worker.data_dir / "orders.db-wal").stat().st_size
    assert size > 2 * worker.log_file.stat().st_size, "its log may grow"
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def test_a_worker_is_ready_only_while_sqlite_takes_its_writes(start_alone):
    worker = start_alone(ORDERAPP_PAYMENT_DELAY="0").wait_ready()
    # The log of writes is larger than any other file of the worker's then.
    records.send(worker.kafka, [records.order(n) for n in range(1000, 1500)])
    eventually(lambda: worker.paid_order(1499), "many orders are kept")

    for order_id, (fault, seconds) in enumerate([(locked, 11), (disk_full, 3)], start=1):
        with fault(worker):
            eventually(worker.is_ready, "nothing is to be written yet")
            records.send(worker.kafka, [records.order(order_id)])
            # What hangs is told after 3 s. A lock is waited for during 5 s before that fails.
            lines = eventually(lambda: standing_still(worker), "it says so")
            assert re.fullmatch(LINE, lines[0])
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                assert standing_still(worker)
                assert worker.get("/healthz")[0] == 200
                assert worker.order(1499), "it can be read all the time"
                time.sleep(0.2)

        worker.wait_ready()
        eventually(lambda n=order_id: worker.paid_order(n), "what waited is kept")


def test_a_worker_is_ready_only_while_couchbase_takes_its_writes(start_alone):
    with couchbase_double() as double:
        worker = start_alone(**double.environment).wait_ready()
        records.send(worker.kafka, [records.order(1)])
        eventually(lambda: worker.paid_order(1), "an order is kept")

        double.inject(fail_sets=[["TEMPFAIL", -1]])
        eventually(worker.is_ready, "nothing is to be written yet")
        records.send(worker.kafka, [records.order(2)])
        eventually(lambda: standing_still(worker), "it says so")
        for _ in range(10):
            assert standing_still(worker)
            assert worker.order(1), "it can be read all the time"
            time.sleep(0.2)
        double.heal()

        worker.wait_ready()
        eventually(lambda: worker.paid_order(2), "what waited is kept")
