"""How long a change of a rule takes until all of three workers judge by it.

Fresh workers with all services on their own broker, and orders all the time, each of which
every version finds. From before the PUT at one worker until the last of the three answers with
the new version, and until the last order is judged by the version before. Every order has to
have an alert, of a version that was in force.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer

from tests.benchmarks.latency import percentile
from tests.benchmarks.report import render
from tests.benchmarks.throughput import ContenderError
from tests.e2e import records
from tests.e2e.worker import Worker, workers

RULE = "HIGH_AMOUNT_RISKY_COUNTRY"
WORKERS = 3
#: Seconds between two changes, at random between these, so that they hit every phase.
PAUSE = (0.4, 0.9)
#: Seconds between two looks at a worker, and those that a change and the last alerts have.
LOOK, PATIENCE = 0.02, 60.0


@dataclass(frozen=True)
class Reached:
    """Milliseconds."""

    until: str
    changes: int
    p50: float
    p99: float
    max: float


def _reached(until: str, seconds: list[float]) -> Reached:
    times = sorted(1000 * each for each in seconds)
    figures = percentile(times, 50), percentile(times, 99), times[-1]
    return Reached(until, len(times), *figures)


async def _change(
    session: aiohttp.ClientSession, all_workers: list[Worker], at: int
) -> tuple[float, float]:
    """Make the change number `at`; seconds until it is answered, and every worker has it."""
    paths = [f"http://127.0.0.1:{worker.port}/api/rules/{RULE}" for worker in all_workers]
    began = time.perf_counter()

    async def has_it(path: str) -> None:
        while True:
            async with session.get(path) as answer:
                if (await answer.json())["rule"]["version"] >= at + 1:
                    return
            await asyncio.sleep(LOOK)

    async with asyncio.timeout(PATIENCE):
        looking = [asyncio.create_task(has_it(path)) for path in paths]
        body = {"parameters": {"limit": 300 + at}}
        async with session.put(paths[0], json=body, headers={"If-Match": "*"}) as answer:
            if answer.status != 200:
                raise ContenderError(await answer.text())
        answered = time.perf_counter() - began
        await asyncio.gather(*looking)
    return answered, time.perf_counter() - began


@asynccontextmanager
async def _orders(server: str, rate: int) -> AsyncIterator[set[int]]:
    """Orders are sent meanwhile; their ids."""
    sent: set[int] = set()
    producer = AIOKafkaProducer(bootstrap_servers=server, acks="all", linger_ms=5)
    await producer.start()

    async def send() -> None:
        started = time.monotonic()
        while True:
            while len(sent) < (time.monotonic() - started) * rate:
                order_id = len(sent) + 1
                key, value = records.order(order_id, 1000.0, "DE")
                await producer.send("orders", value, key=key)
                sent.add(order_id)
            await asyncio.sleep(0.01)

    sending = asyncio.create_task(send())
    try:
        yield sent
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        await producer.stop()


async def _alerts(server: str, wanted: set[int]) -> list[dict[str, Any]]:
    """All alerts, when every order has one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = records.values(await asyncio.to_thread(records.read, server, "fraud-alerts"))
        missing = wanted - {alert["order_id"] for alert in found}
        if not missing:
            return found
        if time.monotonic() > deadline:
            raise ContenderError(f"{len(missing):,} orders have no verdict")
        await asyncio.sleep(0.5)


def _last_judged(alerts: list[dict[str, Any]], moments: list[float]) -> list[float]:
    """Seconds from each change until the last order was judged by the version before it."""
    last: dict[int, float] = {}
    for alert in alerts:
        detected = datetime.fromisoformat(alert["detected_at"]).timestamp()
        version = alert["rule_version"]
        last[version] = max(last.get(version, 0.0), detected)
    if unknown := last.keys() - range(1, len(moments) + 2):
        raise ContenderError(f"judged by versions that were never in force: {sorted(unknown)}")
    return [
        max(0.0, last.get(version, moment) - moment)
        for version, moment in enumerate(moments, 1)
    ]


async def measure(changes: int, rate: int) -> list[dict[str, Any]]:
    """Prints a table."""
    with tempfile.TemporaryDirectory() as directory, workers(Path(directory) / "data") as start:
        settings = {"ORDERAPP_ORDER_INTERVAL": "3600", "ORDERAPP_PAYMENT_DELAY": "0"}
        found = [start(**settings) for _ in range(WORKERS)]
        for worker in found:
            await asyncio.to_thread(worker.wait_ready)
        reached, moments = [], []
        server = found[0].kafka
        async with aiohttp.ClientSession() as session, _orders(server, rate) as sent:
            for at in range(1, changes + 1):
                await asyncio.sleep(random.uniform(*PAUSE))
                moments.append(time.time())
                reached.append(await _change(session, found, at))
            await asyncio.sleep(2)
        alerts = await _alerts(server, sent)
    answers = [
        _reached("it is answered", [answered for answered, _ in reached]),
        _reached("all three workers have it", [all_have for _, all_have in reached]),
        _reached(
            "the last order is judged by the version before", _last_judged(alerts, moments)
        ),
    ]
    header = ("from the request until", "changes", "p50 ms", "p99 ms", "max ms")
    rows = (
        (one.until, f"{one.changes}", f"{one.p50:.0f}", f"{one.p99:.0f}", f"{one.max:.0f}")
        for one in answers
    )
    print(render(header, rows))
    print(f"\n{len(sent):,} orders meanwhile, 0 without a verdict, by versions in force alone.")
    return [asdict(one) for one in answers]
