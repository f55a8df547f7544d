"""What each level of Couchbase's durability costs, and what our own write path adds.

In one run, in turns: the SDK's own `upsert_multi` of documents that are JSON already, and the
store's write of the same documents. Three nodes and two copies, all in one process of the
tests' double: what it shows is what a level costs the client and the protocol. In a cluster a
level costs the time of its network and its disks, which no double has.

python -m tests.benchmarks.durability ORDERS ROUNDS    (the double's access in the environment)
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from orderapp.couchbase_settings import DURABILITIES
from orderapp.settings import Settings
from tests.benchmarks.orders import Workload
from tests.benchmarks.processes import INHERITED, ROOT
from tests.benchmarks.sdk import BATCH, cpu, made
from tests.couchbase_double import couchbase_double

#: Three nodes that have a copy of each document.
NODES = ("--nodes", "3", "--replicas", "2")
#: The store may cost so many times what the SDK alone does.
MOST = 1.3


def run(count: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each level and round."""
    from orderapp.store.couchbase.connect import connect

    settings = Settings.from_env(os.environ).couchbase
    assert settings is not None
    documents = made(Workload(count))
    batches = [documents[at : at + BATCH] for at in range(0, len(documents), BATCH)]
    encoded = [{d.id: msgspec.json.encode(d) for d in batch} for batch in batches]
    clients = {level: connect(replace(settings, durability=level)) for level in DURABILITIES}
    rows = []
    for round_ in range(rounds + 1):  # the first warms up
        for level, client in clients.items():
            # The SDK's collection itself, without what orderapp does around it.
            alone = partial(client._documents.upsert_multi, **client.write_options)
            row = {
                "level": level,
                "sdk": _measured(alone, encoded),
                "store": _measured(client.upsert, batches),
            }
            rows += [row] if round_ else []
    for client in clients.values():
        client.close()
    return [{**row, "documents": len(documents)} for row in rows]


def _measured(write: Callable[[Any], Any], batches: list[Any]) -> tuple[float, float]:
    """Seconds and CPU seconds."""
    began, used = time.perf_counter(), cpu()
    for batch in batches:
        result = write(batch)
        if result is not None and not result.all_ok:
            raise RuntimeError("the double refused a document")
    return time.perf_counter() - began, cpu() - used


async def measure(count: int, rounds: int) -> list[dict[str, Any]]:
    """Do that in a process of its own, and print a row for each level."""
    with couchbase_double(*NODES) as double:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.durability", str(count), str(rounds),
            cwd=ROOT, env={**inherited, **double.environment},
            stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 900)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    figures = [_figures(level, json.loads(output)) for level in DURABILITIES]
    print(
        "| durability | SDK alone: documents/s, CPU µs | store: documents/s, CPU µs | ratio |"
    )
    print("|---|---:|---:|---:|")
    for f in figures:
        print(
            f"| {f['level']} | {f['sdk_per_second']:,.0f}, {f['sdk_cpu_us']:.1f} "
            f"| {f['store_per_second']:,.0f}, {f['store_cpu_us']:.1f} | {f['ratio']:.2f} |"
        )
    print(f"Ratio: time of the store's to time of the SDK's; at most {MOST} is wanted.")
    return figures


def _figures(level: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of all rounds."""
    found: dict[str, Any] = {"level": level}
    of = [row for row in rows if row["level"] == level]
    for who in ("sdk", "store"):
        seconds = statistics.median(row[who][0] / row["documents"] for row in of)
        used = statistics.median(row[who][1] / row["documents"] for row in of)
        found |= {f"{who}_per_second": 1 / seconds, f"{who}_cpu_us": used * 1e6}
    ratios = [row["store"][0] / row["sdk"][0] for row in of]
    return found | {"ratio": statistics.median(ratios)}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))))
