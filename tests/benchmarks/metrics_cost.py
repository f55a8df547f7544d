"""What orderapp's metrics cost: the same worker with them and without."""

from collections.abc import Iterable
from dataclasses import replace

from tests.benchmarks.contenders import ORDERAPP, WORKER
from tests.benchmarks.throughput import Result

WITHOUT_METRICS = replace(
    ORDERAPP,
    name="orderapp, without metrics",
    command=("tests.benchmarks.contenders.without_metrics", *WORKER),
)


def cost(results: Iterable[Result]) -> str:
    """The difference in CPU time per order and in orders/s, of the best run of each.

    What else runs on the machine only ever adds, so the best run is nearest to the truth."""
    good = [result for result in results if not result.problem]
    counting = [result for result in good if result.contender == ORDERAPP.name]
    silent = [result for result in good if result.contender == WITHOUT_METRICS.name]
    if not counting or not silent:
        return "no figure: one of the two has not done its work"
    cpu = _least_cpu(counting) / _least_cpu(silent) - 1
    speed = _most_orders(counting) / _most_orders(silent) - 1
    return f"with metrics: {cpu:+.1%} CPU per order, {speed:+.1%} orders/s"


def _least_cpu(results: list[Result]) -> float:
    return min(result.cpu_us_per_order for result in results)


def _most_orders(results: list[Result]) -> float:
    return max(result.orders_per_second for result in results)
