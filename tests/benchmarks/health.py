"""How long health and metrics take to answer while a worker has all the work it can do.

One worker with all services and SQLite, and orders that wait for it. Asked is until the last of
them is paid and stored.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.api import SERVICES, port_of
from tests.benchmarks.contenders import ORDERAPP
from tests.benchmarks.latency import percentile
from tests.benchmarks.orders import Workload
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import render
from tests.benchmarks.throughput import ContenderError, Limits, warm

PATHS = ("/healthz", "/readyz", "/metrics")


@dataclass(frozen=True)
class Answers:
    """Milliseconds."""

    path: str
    asked: int
    p50: float
    p99: float
    max: float


@asynccontextmanager
async def _polling(port: int, found: dict[str, list[float]]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.poller", str(port), *PATHS,
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        limit=16 << 20,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        if await asyncio.wait_for(process.stdout.readline(), 30) != b"asking\n":
            raise ContenderError("the worker does not answer")
        yield
        output, _ = await asyncio.wait_for(process.communicate(b""), 30)
        found.update(json.loads(output))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def measure(orders: int) -> list[dict[str, Any]]:
    """Prints a table."""
    work, times = Workload(orders), dict[str, list[float]]()
    async with warm(ORDERAPP, "sqlite", work.warm_up, Limits(), SERVICES) as setting:
        packed = setting.kafka.pack(work.measured)
        setting.processes.freeze()
        await setting.kafka.send(packed)
        setting.processes.resume()
        async with _polling(port_of(setting), times):
            await setting.complete(len(work.ids), len(work.risky_ids))
    found = [
        Answers(path, len(t), percentile(t, 50), percentile(t, 99), t[-1])
        for path, t in ((path, sorted(unsorted)) for path, unsorted in times.items())
    ]
    rows = [
        (one.path, f"{one.asked:,}", *(f"{t:.0f}" for t in (one.p50, one.p99, one.max)))
        for one in found
    ]
    print(render(("GET", "asked", "p50 ms", "p99 ms", "max ms"), rows))
    print(f"\nWhile {orders:,} orders that waited were worked off.")
    return [asdict(one) for one in found]
