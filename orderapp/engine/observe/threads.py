"""The CPU time of each of this process's threads: which of them is at its limit."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

_TASKS, _TICKS = Path("/proc/self/task"), os.sysconf("SC_CLK_TCK")


class ThreadTimes(Collector):
    """Asks Linux when somebody asks for it; threads of one name are one. Elsewhere: nothing."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Seconds since the start of each thread that runs."""
        family = CounterMetricFamily(
            "orderapp_thread_cpu_seconds",
            "CPU seconds that the process's own threads have used, by their names.",
            labels=["thread"],
        )
        for name, seconds in sorted(_seconds().items()):
            family.add_metric([name], seconds)
        yield family


def _seconds() -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for thread in threading.enumerate():
        # Not by `pthread_getcpuclockid`: that of a thread which has just ended may crash.
        try:
            stat = (_TASKS / str(thread.native_id) / "stat").read_text()
        except OSError:  # it has ended, or this is no Linux
            continue
        user, system = stat.rpartition(")")[2].split()[11:13]
        found[thread.name] += (int(user) + int(system)) / _TICKS
    return found
