"""When this machine stood still: a virtual one is taken off its processors now and then.

    python -m tests.benchmarks.standstill

It sleeps and looks at the clock, before all other processes in line, until its input ends, and
prints the spans in which it came too late as JSON: [[begin, end], …] (Unix time in ms). What
others do to each other is none; so where it may not go before them, it prints nothing found.
"""

import json
import os
import select
import sys
import time

STEP, LATE_MS = 0.005, 30.0


def watch() -> list[tuple[float, float]]:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except PermissionError:
        return []
    found = []
    last = time.time() * 1000
    while not select.select([sys.stdin], [], [], STEP)[0]:
        now = time.time() * 1000
        if now - last > LATE_MS:
            found.append((last, now))
        last = now
    return found


if __name__ == "__main__":
    print(json.dumps(watch()))
