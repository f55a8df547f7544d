"""Memory over time: while the store is away, and over many orders.

`outage`: orders come at a steady rate while the store (the tests' Couchbase) is away; how much
memory the worker takes, and how long it needs to store all when the store is back.
`memory`: orders in ten equal parts, as fast as they go; the memory after each.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from orderapp.models import now
from tests.benchmarks.kafka import wait_for_end
from tests.benchmarks.orders import make_message
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import render
from tests.benchmarks.throughput import ContenderError, temporary_directory
from tests.couchbase_double import CouchbaseDouble, couchbase_double
from tests.e2e import records
from tests.e2e.worker import Worker, workers

MB = 2**20
PARTS = 10
#: A day at one order every 2 s.
DAY = 43_200


def resident(worker: Worker) -> float:
    """MB of the worker's own process; its broker and launcher are others."""
    return psutil.Process(worker.process.pid).memory_info().rss / MB


@contextmanager
def _worker(**settings: str) -> Iterator[Worker]:
    with temporary_directory() as directory:
        data = directory / "data"
        with workers(data) as start:
            yield start(**settings).wait_ready()
        wait_for_end(data)


def _wait(is_done: Any, seconds: float, worker: Worker) -> tuple[float, float]:
    """Seconds until `is_done()`, and the most memory meanwhile."""
    began, peak = time.monotonic(), 0.0
    while not is_done():
        if time.monotonic() - began > seconds:
            raise ContenderError(f"not done after {seconds:g} s")
        peak = max(peak, resident(worker))
        time.sleep(0.1)
    return time.monotonic() - began, max(peak, resident(worker))


def outage(seconds: float, rate: int, limit: float) -> list[dict[str, Any]]:
    """One outage of the store of `seconds`, with `rate` orders/s."""
    with couchbase_double() as double, _worker(**double.environment) as worker:
        before = resident(worker)
        double.stop()
        sent, peak = _send_while_away(worker, rate, seconds)
        double.start()
        wanted = 2 * sent["sent"] + sent["risky"]
        took, later = _wait(lambda: double.count() >= wanted, limit, worker)
        _check(double, wanted)
        figures = {
            "outage_seconds": seconds,
            "rate": rate,
            "orders": sent["sent"],
            "before_mb": before,
            "peak_mb": max(peak, later),
            "caught_up_after_seconds": took,
        }
    print(render(figures, [[_shown(value) for value in figures.values()]]))
    return [figures]


def _send_while_away(worker: Worker, rate: int, seconds: float) -> tuple[Any, float]:
    command = [sys.executable, "-m", "tests.benchmarks.sender", worker.kafka]
    sender = subprocess.Popen(
        [*command, str(rate), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        _, peak = _wait(lambda: sender.poll() is not None, seconds + 60, worker)
        if sender.returncode:
            raise ContenderError("the sender failed")
        return json.loads(sender.communicate()[0]), peak
    finally:
        sender.kill()
        sender.wait()


def _check(double: CouchbaseDouble, wanted: int) -> None:
    found = double.count()
    if found != wanted:
        raise ContenderError(f"{found} documents instead of {wanted}")


def memory(orders: int) -> list[dict[str, Any]]:
    """`orders` in ten parts, each sent and worked off as fast as it goes."""
    rng, created_at = random.Random(1), now()
    with _worker(ORDERAPP_PAYMENT_DELAY="0") as worker:
        size, after = orders // PARTS, []
        for part in range(PARTS):
            ids = range(part * size + 1, (part + 1) * size + 1)
            made = (make_message(order_id, rng, created_at) for order_id in ids)
            records.send(worker.kafka, [(one.key, one.value) for one in made])
            _wait(lambda: _committed(worker) >= (part + 1) * size, 300, worker)  # noqa: B023
            after.append(resident(worker))
    growth = after[-1] / after[0] - 1
    print(render(["part", "MB"], [[str(n), f"{mb:.1f}"] for n, mb in enumerate(after, 1)]))
    print(f"\n{orders:,} orders; from the first tenth to the end: {growth:+.1%}")
    return [{"orders": orders, "mb": after, "growth": growth}]


def _committed(worker: Worker) -> int:
    """The fewest orders and payments that were worked off."""
    topics = ("orders", "payments")
    return min(sum(records.committed(worker.kafka, "orderapp", t).values()) for t in topics)


def _shown(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
