"""The command line of the chaos suite; see the package."""

import argparse
import asyncio
import json
import logging
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from orderapp.couchbase_settings import DURABILITIES
from tests.chaos import __doc__ as description
from tests.chaos import place, report
from tests.chaos.faults import KINDS
from tests.chaos.run import Options, Result, run

STORES = ("sqlite", "couchbase")


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(KINDS) if text == "all" else tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in KINDS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(KINDS)}")
    return names


def _strikes(text: str) -> dict[str, int]:
    pairs = [part.partition("=") for part in text.split(",")]
    return {name: _count(count) for name, _, count in pairs for name in _faults(name)}


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100:
        raise ValueError(text)
    return value


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.chaos",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="default: random, and printed")
    parser.add_argument("--runs", type=_count, default=1, help="with the seeds that follow")
    parser.add_argument("--seconds", type=_positive, default=60.0, help="of faults in a run")
    parser.add_argument("--rate", type=_positive, default=100.0, help="orders per second")
    parser.add_argument("--workers", type=_count, default=3)
    parser.add_argument(
        "--faults", type=_faults, default=tuple(KINDS), metavar="KIND,…",
        help=f"of {', '.join(KINDS)} (all), or none: ''",
    )  # fmt: skip
    parser.add_argument(
        "--strikes", type=_strikes, metavar="KIND=COUNT,…",
        help="so many of these, and no other faults; default: as the seed has it",
    )  # fmt: skip
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument(
        "--durability", choices=DURABILITIES, default="majority", help="of writes to Couchbase"
    )
    parser.add_argument(
        "--takeover-seconds",
        type=_positive,
        default=Options.takeover_limit,
        help="within which a killed worker's partitions are worked on",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a failed run")
    return parser.parse_args(arguments)


def _possible(options: argparse.Namespace, *, small_disk: bool) -> tuple[str, ...]:
    wanted = options.faults if options.strikes is None else options.strikes
    faults = [name for name in wanted if KINDS[name].store in (None, options.store)]
    if small_disk or "disk" not in faults:
        return tuple(faults)
    print("disk: left out, it needs a small disk of its own")
    return tuple(name for name in faults if name != "disk")


def _one(options: argparse.Namespace, seed: int) -> Result:
    orders = options.seconds * options.rate
    with place.workplace(f"seed-{seed}", orders) as (directory, small_disk):
        wanted = Options(
            seed=seed,
            seconds=options.seconds,
            rate=options.rate,
            workers=options.workers,
            faults=_possible(options, small_disk=small_disk),
            store=options.store,
            strikes=options.strikes,
            durability=options.durability,
            takeover_limit=options.takeover_seconds,
        )
        print(
            f"chaos: seed {seed}, {wanted.seconds:g} s, {wanted.rate:g} orders/s, "
            f"{wanted.workers} workers, {wanted.store}",
            flush=True,
        )
        result = asyncio.run(run(wanted, directory))
        print(report.summary(result) + "\n", flush=True)
        return result


def _series(options: argparse.Namespace) -> int:
    # While the broker is away on purpose its clients have nothing new to say.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    results = [_one(options, options.seed + number) for number in range(options.runs)]
    print(report.table(results))
    if options.json:
        figures = [report.as_json(result) for result in results]
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if any(report.failures(result) for result in results) else 0


def main() -> int:
    """Run it: at first only to run it again in namespaces of its own."""
    arguments = sys.argv[1:]
    options = _arguments(arguments)
    if place.INSIDE in os.environ:
        place.end_with_input()
        try:
            return _series(options)
        except KeyboardInterrupt:
            return 130
    if options.seed is None:
        arguments += ["--seed", str(random.SystemRandom().randrange(10_000))]
    if options.json:
        arguments += ["--json", str(options.json.absolute())]
    return place.run_inside(arguments, keep=options.keep)


if __name__ == "__main__":
    sys.exit(main())
