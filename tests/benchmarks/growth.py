"""What an order costs beside many stored ones (SQLite), and how much memory and disk they take.

A file is filled as analytics would fill it. At each size a fresh worker gets a copy of it and
processes orders that wait, with rising ids and with random ones; see `throughput`.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.api import fill
from tests.benchmarks.contenders import ORDERAPP
from tests.benchmarks.orders import Workload
from tests.benchmarks.report import render
from tests.benchmarks.stores import Filled
from tests.benchmarks.throughput import ContenderError, Limits, measure, temporary_directory

SIZES = (100_000, 1_000_000, 10_000_000)
IDS = ("rising", "random")


@dataclass(frozen=True)
class Growth:
    """What `orders` cost beside `stored` ones."""

    stored: int
    ids: str
    orders: int
    cpu_us_per_order: float
    orders_per_second: float
    peak_mb: float
    #: The file's, before them, for each stored order with its payment and alert.
    bytes_per_order: float


async def series(sizes: Sequence[int], orders: int, rounds: int) -> list[dict[str, Any]]:
    """All sizes, each with both kinds of ids; prints a table."""
    works = [Workload(orders, ids) for ids in IDS]
    found: list[Growth] = []
    with temporary_directory() as directory:
        path, stored = directory / "orders.db", 0
        for size in sorted(sizes):
            print(f"... {size:,} orders are stored", end="", flush=True)
            began = time.monotonic()
            await fill(path, size - stored, stored)
            print(f" ({time.monotonic() - began:.0f} s)", flush=True)
            stored, filled = size, Filled(path, size)
            found += [await _measure(filled, work) for work in works * rounds]
    header = ("stored", "ids", "CPU µs per order", "orders/s", "peak MB", "bytes per order")
    rows = (
        (
            f"{one.stored:,}", one.ids, f"{one.cpu_us_per_order:.1f}",
            f"{one.orders_per_second:,.0f}", f"{one.peak_mb:.0f}", f"{one.bytes_per_order:.0f}",
        )
        for one in found
    )  # fmt: skip
    print(render(header, rows))
    return [asdict(one) for one in found]


async def _measure(filled: Filled, work: Workload) -> Growth:
    result = await measure(ORDERAPP, "sqlite", work, Limits(), filled=filled)
    if result.problem:
        raise ContenderError(result.problem)
    return Growth(
        filled.orders, work.kind, work.count, result.cpu_us_per_order,
        result.orders_per_second, result.peak_mb, filled.bytes / filled.orders,
    )  # fmt: skip
