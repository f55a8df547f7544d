"""How long an order takes at a fixed rate, until it is stored (SQLite) and until it is paid.

From the timestamp of the order's record in Kafka (which its sender sets, in whole ms) until
the transaction with its document is committed, and until Kafka has confirmed its payment (the
gateway takes its 100 ms). Each rate has a fresh worker and some unmeasured seconds first.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from tests.benchmarks.contenders import ORDERAPP, WORKER, Contender
from tests.benchmarks.orders import WARM_UP, Workload
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import render
from tests.benchmarks.throughput import (
    END_SECONDS,
    ContenderError,
    Limits,
    Setting,
    temporary_directory,
    warm,
)

#: Goes on while orders are sent; called with the worker.
Beside = Callable[[Setting], AbstractAsyncContextManager[None]]

RATES = (200, 1_000, 10_000)
PAYMENT_DELAY = 0.1
TIMED = replace(ORDERAPP, command=("tests.benchmarks.timed_worker", *WORKER))


@dataclass(frozen=True)
class Latency:
    """Milliseconds."""

    rate: int
    until: str
    orders: int
    p50: float
    p99: float
    max: float
    #: How late the sender was at most; the figures do not depend on it, the rate does.
    sender_late: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of the sorted `values` do not exceed."""
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


def read_notes(lines: Iterable[str], begin: float) -> dict[str, list[float]]:
    """Sorted milliseconds by what happened, of orders from `begin` on (Unix time in ms)."""
    notes = [json.loads(line) for line in lines]
    found: dict[str, list[float]] = {"stored": [], "paid": []}
    for what, moment, timestamps in notes:
        found[what] += [moment * 1000 - t for t in timestamps if t >= begin]
    return {what: sorted(values) for what, values in found.items()}


async def _send(setting: Setting, rate: int, seconds: float) -> dict[str, Any]:
    arguments = (setting.kafka.address, str(rate), str(seconds))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.sender", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds + 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ContenderError("the sender failed")
    return json.loads(output)


async def measure(
    rate: int,
    warm_up: float,
    seconds: float,
    *,
    who: Contender = TIMED,
    settings: Mapping[str, str] = MappingProxyType({}),
    beside: Beside | None = None,
) -> list[Latency]:
    """One rate, with a fresh worker; `beside` is something that goes on meanwhile."""
    with temporary_directory() as directory:
        notes = directory / "times"
        environment = {
            "BENCH_TIMES": str(notes),
            "ORDERAPP_PAYMENT_DELAY": str(PAYMENT_DELAY),
            **settings,
        }
        first = Workload(0)
        async with warm(who, "sqlite", first.messages, Limits(), environment) as setting:
            async with beside(setting) if beside else nullcontext():
                sent = await _send(setting, rate, warm_up + seconds)
                risky = len(first.risky_ids) + sent["risky"]
                await setting.complete(WARM_UP + sent["sent"], risky)
            if problem := setting.processes.terminate(END_SECONDS):
                raise ContenderError(problem)
        times = read_notes(notes.read_text().splitlines(), sent["began_ms"] + warm_up * 1000)
    expected = int(rate * seconds)
    for until, values in times.items():
        if len(values) < 0.95 * expected:
            raise ContenderError(f"only {len(values):,} of {expected:,} orders were {until}")
    return [
        Latency(
            rate, until, len(values),
            percentile(values, 50), percentile(values, 99), values[-1], sent["late_ms"],
        )
        for until, values in times.items()
    ]  # fmt: skip


async def series(rates: Sequence[int], warm_up: float, seconds: float) -> list[dict[str, Any]]:
    """All rates; prints a table."""
    found: list[Latency] = []
    for rate in rates:
        print(f"... {rate:,} orders/s", flush=True)
        found += await measure(rate, warm_up, seconds)
    header = ("orders/s", "until", "orders", "p50 ms", "p99 ms", "max ms", "sender late ms")
    rows = (
        (
            f"{one.rate:,}", one.until, f"{one.orders:,}",
            f"{one.p50:.0f}", f"{one.p99:.0f}", f"{one.max:.0f}", f"{one.sender_late:.0f}",
        )
        for one in found
    )  # fmt: skip
    print(render(header, rows))
    print("\nPaid: with a gateway that takes 100 ms. Stored: SQLite, synchronous = FULL.")
    return [asdict(one) for one in found]
