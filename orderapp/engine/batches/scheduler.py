"""Hands out what has arrived of a partition as one list."""

from collections.abc import Iterator, Mapping
from typing import Any

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP


class BatchScheduler(DefaultSchedulingStrategy):
    """Hands out a list of records for each partition of a batched topic.

    Topics that are not batched pass through record by record."""

    def __init__(self, batched: Mapping[str, object]) -> None:
        self._batched = batched

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield `(tp, list of records)` for batched topics, `(tp, record)` for others."""
        single = {}
        for tp, chunk in records.items():
            if tp.topic in self._batched:
                yield tp, chunk
            else:
                single[tp] = chunk
        if single:
            yield from super().iterate(single)
