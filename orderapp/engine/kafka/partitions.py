"""Partitions in the words of a log line."""

from collections.abc import Iterable
from itertools import groupby

from faust.types import TP


def in_words(tps: Iterable[TP]) -> str:
    """`readings 0-2,5, places 1`, or `nothing`; without Faust's topic of leaders."""
    told = []
    for topic, partitions in groupby(sorted(tps), lambda tp: tp.topic):
        if not topic.endswith("-__assignor-__leader"):
            told.append(f"{topic} {_ranges([tp.partition for tp in partitions])}")
    return ", ".join(told) or "nothing"


def _ranges(numbers: list[int]) -> str:
    # Numbers of one run have the same distance from their place in the list.
    runs = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in ends)
