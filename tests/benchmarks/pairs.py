"""Two contenders in turn, A B A B: the ratio of each pair, and how far the pairs differ.

What slows both runs of a pair (a neighbour, a warm processor, a slow disk) is in neither's
ratio, so that a change of 3% shows on a machine whose figures move by 20.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.throughput import Result

FIGURES: dict[str, Callable[[Result], float]] = {
    "CPU per order": lambda result: result.cpu_us_per_order,
    "orders/s": lambda result: result.orders_per_second,
    "peak memory": lambda result: result.peak_mb,
}


@dataclass(frozen=True)
class Ratio:
    """What the second of each pair needed or did, divided by the first's."""

    figure: str
    ratios: tuple[float, ...]

    def __str__(self) -> str:
        each = " ".join(f"{ratio:.3f}" for ratio in self.ratios)
        low, high = min(self.ratios), max(self.ratios)
        return f"{self.figure}: {median(self.ratios):.3f} ({low:.3f} to {high:.3f}; {each})"


def ratios(results: Sequence[Result]) -> list[Ratio]:
    """Of results A B A B …; a pair with a failed run is left out."""
    pairs = [
        (first, second)
        for first, second in zip(results[::2], results[1::2], strict=True)
        if not first.problem and not second.problem
    ]
    if not pairs:
        return []
    return [
        Ratio(figure, tuple(of(second) / of(first) for first, second in pairs))
        for figure, of in FIGURES.items()
    ]


def lines(results: Sequence[Result]) -> list[str]:
    """The same for people."""
    first, second = results[:2]
    found = [str(ratio) for ratio in ratios(results)]
    title = (
        f"{second.title} / {first.title}, median of {len(results) // 2} pairs (least to most):"
    )
    return (
        [title, *found] if found else ["no figure: there is no pair in which both did the work"]
    )
