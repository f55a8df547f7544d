"""The command line of the benchmarks; see the package."""

import argparse
import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import __doc__ as description
from tests.benchmarks import (
    api,
    console,
    durability,
    endurance,
    growth,
    health,
    latency,
    page,
    pairs,
    report,
    rule_changes,
    sdk,
    stages,
)
from tests.benchmarks.contenders import CONTENDERS, VARIANTS, Contender, before
from tests.benchmarks.orders import IDS, WARM_UP, Workload
from tests.benchmarks.processes import end_like_ctrl_c
from tests.benchmarks.profiler import Profiler
from tests.benchmarks.stores import STORES
from tests.benchmarks.throughput import ContenderError, Limits, Result, measure


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    modes = parser.add_subparsers(dest="mode", required=True)
    throughput, slow, seen = (
        modes.add_parser(name) for name in ("throughput", "latency", "page")
    )
    seen.add_argument("--orders", type=int, default=50)
    names = [*CONTENDERS, *VARIANTS, "before"]
    throughput.add_argument(
        "--contender", action="append", choices=names, help="only this one (repeatable)"
    )
    throughput.add_argument(
        "--pair", nargs=2, choices=names, metavar=("A", "B"),
        help="these two in turn, and the ratio B / A of each pair",
    )  # fmt: skip
    throughput.add_argument("--pairs", type=int, default=5, help="how many, with --pair")
    throughput.add_argument(
        "--before", type=Path, metavar="DIRECTORY", help="the checkout of the contender before"
    )
    throughput.add_argument(
        "--ids", action="append", choices=IDS,
        help="of the orders; with --pair the second one's may be other ones (repeatable)",
    )  # fmt: skip
    throughput.add_argument(
        "--profile", action="store_true", help="also show the top functions of orderapp"
    )
    throughput.add_argument("--orders", type=int, default=100_000)
    throughput.add_argument(
        "--store", action="append", choices=STORES, help="default: sqlite, then none"
    )
    throughput.add_argument(
        "--limit", type=float, default=Limits.total, help="seconds for each"
    )
    slow.add_argument("--rate", action="append", type=int, help="orders/s (repeatable)")
    slow.add_argument("--seconds", type=float, default=30.0, help="measured, for each rate")
    slow.add_argument("--warm-up", type=float, default=10.0, help="seconds before that")
    outage = modes.add_parser("outage")
    outage.add_argument("--rate", type=int, default=200, help="orders/s")
    outage.add_argument("--seconds", type=float, default=600.0, help="without a store")
    outage.add_argument("--limit", type=float, default=300.0, help="seconds to catch up")
    reads = modes.add_parser("api")
    reads.add_argument("--orders", type=int, default=1_000_000, help="stored before")
    reads.add_argument("--rounds", type=int, default=3, help="with streams and without")
    reads.add_argument("--seconds", type=float, default=20.0, help="of each round")
    safe = modes.add_parser("durability")
    safe.add_argument("--orders", type=int, default=10_000)
    safe.add_argument("--rounds", type=int, default=5)
    memory = modes.add_parser("memory")
    memory.add_argument("--orders", type=int, default=endurance.DAY)
    busy = modes.add_parser("health")
    busy.add_argument("--orders", type=int, default=300_000, help="that wait")
    grown = modes.add_parser("growth")
    grown.add_argument("--stored", action="append", type=int, help="before (repeatable)")
    grown.add_argument("--orders", type=int, default=100_000, help="that wait")
    grown.add_argument("--rounds", type=int, default=1, help="of each")
    used = modes.add_parser("console")
    used.add_argument("--seconds", type=float, default=600.0, help="measured")
    used.add_argument("--rate", type=int, default=200, help="orders/s")
    changed = modes.add_parser("rules")
    changed.add_argument("--changes", type=int, default=50)
    changed.add_argument("--rate", type=int, default=20, help="orders/s")
    for mode in modes.choices.values():
        mode.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


#: What is run, one after the other.
Runs = Sequence[tuple[Contender, Workload]]


async def _series(runs: Runs, store: str, options: argparse.Namespace) -> list[Result]:
    results = []
    for who, work in runs:
        if store not in who.stores:
            continue
        profiler = Profiler() if options.profile and who.tells_metrics else None
        print(f"... {who.name}", end="", flush=True)
        result = await measure(who, store, work, Limits(total=options.limit), profiler)
        print(f": {result.problem or f'{result.orders_per_second:,.0f} orders/s'}", flush=True)
        for line in (*stages.lines(result), *result.profile):
            print(line)
        results.append(result)
    return results


def _runs(options: argparse.Namespace) -> Runs:
    kinds = options.ids or [IDS[0]]
    workloads = {kind: Workload(options.orders, kind) for kind in kinds}
    if options.pair:
        both = zip(options.pair, (kinds[0], kinds[-1]), strict=True)
        return [
            (_contender(who, options), workloads[kind]) for who, kind in both
        ] * options.pairs
    names = options.contender or list(CONTENDERS)
    return [(_contender(who, options), work) for work in workloads.values() for who in names]


def _contender(name: str, options: argparse.Namespace) -> Contender:
    if name != "before":
        return (CONTENDERS | VARIANTS)[name]
    if options.before is None:
        raise SystemExit(
            "the contender before needs --before DIRECTORY, a checkout of that time"
        )
    return before(options.before)


async def throughput(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every run with every store; prints a table for each store."""
    runs = await asyncio.to_thread(_runs, options)
    figures: list[dict[str, Any]] = []
    for store in options.store or ("sqlite", "none"):
        results = await _series(runs, store, options)
        print(f"\n{options.orders:,} orders, store: {store}\n")
        print(report.throughput_table(results))
        if options.pair and results:
            print("\n".join(["", *pairs.lines(results)]))
        figures += report.as_json(results)
        if store == "couchbase" and not options.pair:
            share = await sdk.measure(runs[0][1])
            print(share)
            figures.append({"contender": "sdk alone", "store": store, **share.figures()})
        print()
    print(report.FOOTNOTE.format(orders=options.orders, warm_up=WARM_UP))
    return figures


def _run(options: argparse.Namespace) -> Coroutine[Any, Any, list[dict[str, Any]]]:
    o = options
    modes: dict[str, Callable[[], Coroutine[Any, Any, list[dict[str, Any]]]]] = {
        "throughput": lambda: throughput(o),
        "latency": lambda: latency.series(o.rate or latency.RATES, o.warm_up, o.seconds),
        "growth": lambda: growth.series(o.stored or growth.SIZES, o.orders, o.rounds),
        "api": lambda: api.series(o.orders, o.rounds, o.seconds),
        "health": lambda: health.measure(o.orders),
        "page": lambda: page.measure(o.orders),
        "console": lambda: console.measure(o.seconds, o.rate),
        "rules": lambda: rule_changes.measure(o.changes, o.rate),
        "outage": lambda: asyncio.to_thread(endurance.outage, o.seconds, o.rate, o.limit),
        "memory": lambda: asyncio.to_thread(endurance.memory, o.orders),
        "durability": lambda: durability.measure(o.orders, o.rounds),
    }
    return modes[options.mode]()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one mode."""
    options = _arguments(arguments)
    # aiokafka builds DEBUG records even when nobody reads them.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    end_like_ctrl_c()
    try:
        figures = asyncio.run(_run(options))
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted: everything is stopped") from None
    except ContenderError as error:
        raise SystemExit(f"failed: {error}") from None
    print()
    print(report.machine_lines())
    if options.json:
        facts = {"mode": options.mode, "machine": report.machine(), "results": figures}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
