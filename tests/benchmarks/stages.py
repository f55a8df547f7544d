"""Where the time of a worker goes, by its own metrics: the CPU of its threads, and how long and
how large its batches were in each stage."""

import asyncio
import urllib.request
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.benchmarks.throughput import Result

Samples = dict[str, float]

_THREADS = "orderapp_thread_cpu_seconds_total"
#: Histograms, by what is said of them.
STAGES = {
    "work on a batch, ms": "orderapp_batch_processing_seconds",
    "records in a batch": "orderapp_batch_records",
    "sending what follows, ms": "orderapp_send_seconds",
    "call of the store, ms": "orderapp_store_seconds",
    "documents in a transaction": "orderapp_store_documents",
}


async def worker_metrics(port: int) -> Samples:
    """The samples of a worker; those of histograms without their buckets, of all labels."""
    text = await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/metrics")
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.labels["thread"] if sample.name == _THREADS else ""
            key = f"{sample.name} {name}".strip()
            found[key] = found.get(key, 0.0) + sample.value
    return found


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def told(before: Samples, after: Samples) -> tuple[Samples, dict[str, tuple[float, float]]]:
    """What was added: CPU seconds by thread, and the sum and count of each stage."""
    added = {name: value - before.get(name, 0.0) for name, value in after.items()}
    threads = {
        name.partition(" ")[2]: value
        for name, value in added.items()
        if name.startswith(f"{_THREADS} ") and value
    }
    stages = {
        title: (added.get(f"{name}_sum", 0.0), added.get(f"{name}_count", 0.0))
        for title, name in STAGES.items()
    }
    return threads, stages


def lines(result: "Result") -> list[str]:
    """The same for people: µs of CPU per order by thread, and the mean of each stage."""
    if not result.threads or result.problem:
        return []
    by_thread = sorted(result.threads.items(), key=lambda one: -one[1])
    threads = ", ".join(f"{name} {used / result.orders * 1e6:.1f}" for name, used in by_thread)
    means = (
        f"{title} {total / count * (1000 if title.endswith('ms') else 1):.1f}"
        for title, (total, count) in result.stages.items()
        if count
    )
    return [f"    CPU µs per order: {threads}", f"    means: {', '.join(means)}"]
