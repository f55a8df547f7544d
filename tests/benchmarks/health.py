"""How long health and metrics take to answer while a worker has all the work it can do.

One worker with all services and SQLite, and orders that wait for it. Asked is until the last of
them is paid and stored.
"""

from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.contenders import ORDERAPP, WITH_WEB
from tests.benchmarks.helper import helper
from tests.benchmarks.latency import percentile
from tests.benchmarks.orders import Workload
from tests.benchmarks.report import render
from tests.benchmarks.throughput import Limits, warm

PATHS = ("/healthz", "/readyz", "/metrics")


@dataclass(frozen=True)
class Answers:
    """Milliseconds."""

    path: str
    asked: int
    p50: float
    p99: float
    max: float


def _answers(path: str, times: list[float]) -> Answers:
    return Answers(path, len(times), percentile(times, 50), percentile(times, 99), times[-1])


async def measure(orders: int) -> list[dict[str, Any]]:
    """Prints a table."""
    work = Workload(orders)
    async with warm(ORDERAPP, "sqlite", work.warm_up, Limits(), WITH_WEB) as setting:
        await setting.pile_up(work.measured)
        setting.processes.resume()
        arguments = ("tests.benchmarks.poller", str(setting.port), *PATHS)
        async with helper(*arguments, begun="asking") as poller:
            await setting.complete(len(work.ids), len(work.risky_ids))
            times = await poller.end()
    found = [_answers(path, sorted(asked)) for path, asked in times.items()]
    rows = [
        (one.path, f"{one.asked:,}", *(f"{t:.0f}" for t in (one.p50, one.p99, one.max)))
        for one in found
    ]
    print(render(("GET", "asked", "p50 ms", "p99 ms", "max ms"), rows))
    print(f"\nWhile {orders:,} orders that waited were worked off.")
    return [asdict(one) for one in found]
