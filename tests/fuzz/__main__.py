"""Many examples, and the memory before and after.

    python -m tests.fuzz [--examples 20000]

So many for each test. Memory is that of the process that does the work: the views' own, and
this one's for the rest, of which only what orderapp's lines hold is shown. Fails when either
grows after the first round.
"""

import argparse
import gc
import os
import sys
import tempfile
import tracemalloc
from pathlib import Path

parser = argparse.ArgumentParser(prog="tests.fuzz")
parser.add_argument("--examples", type=int, default=20_000, help="for each test")
WANTED = parser.parse_args().examples
ROUNDS = 4
os.environ["ORDERAPP_TEST_FUZZ"] = str(max(1, WANTED // ROUNDS))

import tests.conftest  # noqa: E402, F401 - the app must not see its user's settings
from tests.fuzz import raw, test_commands, test_http, test_records, test_settings  # noqa: E402


def properties(views):
    """What is tried, by its name."""
    for name, test in vars(test_http).items():
        if hasattr(test, "hypothesis"):
            yield name, lambda test=test: test(views)
    for module in (test_records, test_settings, test_commands):
        for name, test in vars(module).items():
            if hasattr(test, "hypothesis"):
                yield name, test


def own_memory():
    """MB that the program's own lines hold in this process."""
    gc.collect()
    ours = tracemalloc.Filter(inclusive=True, filename_pattern="*/orderapp/*")
    snapshot = tracemalloc.take_snapshot().filter_traces([ours])
    return sum(trace.size for trace in snapshot.traces) / 1e6


def main():
    for place, name, replacement in test_commands.AWAY:
        setattr(place, name, replacement)
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as directory, raw.views(Path(directory)) as views:
        first = None
        for number in range(ROUNDS):
            for name, test in properties(views):
                test()
                print(f"  {name}", flush=True)
            own = own_memory()
            print(
                f"round {number + 1} of {ROUNDS}, {os.environ['ORDERAPP_TEST_FUZZ']} examples "
                f"each: the views' process {views.memory():.1f} MB, orderapp's lines in this "
                f"one {own:.2f} MB",
                flush=True,
            )
            views.check_memory()
            first = own if first is None else first
            assert own < first + raw.GROWTH, (first, own)


if __name__ == "__main__":
    sys.exit(main())
