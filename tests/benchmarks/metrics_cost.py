"""What orderapp's metrics cost: the same worker with them and without."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import median

from tests.benchmarks.contenders import ORDERAPP, WORKER
from tests.benchmarks.throughput import Result

WITHOUT_METRICS = replace(
    ORDERAPP,
    name="orderapp, without metrics",
    command=("tests.benchmarks.contenders.without_metrics", *WORKER),
)


def cost(results: Iterable[Result]) -> str:
    """The difference in CPU time per order and in orders/s, of the median run of each.

    Not of the best: larger batches by chance make a run cheap as well, once by a fifth."""
    good = [result for result in results if not result.problem]
    counting = [result for result in good if result.contender == ORDERAPP.name]
    silent = [result for result in good if result.contender == WITHOUT_METRICS.name]
    if not counting or not silent:
        return "no figure: one of the two has not done its work"
    cpu, speed = (
        median(getattr(one, figure) for one in counting)
        / median(getattr(one, figure) for one in silent)
        - 1
        for figure in ("cpu_us_per_order", "orders_per_second")
    )
    return f"with metrics: {cpu:+.1%} CPU per order, {speed:+.1%} orders/s"
