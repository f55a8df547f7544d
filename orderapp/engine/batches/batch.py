"""Records of one partition that have arrived together, decoded: what an agent's work gets."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aiokafka import ConsumerRecord

from orderapp.engine.batches.records import is_for, is_replay

V = TypeVar("V")
W = TypeVar("W")

#: A record may be tried without end, while something that it needs is away.
MOST_FAILURES = 50


@dataclass(frozen=True, slots=True)
class Batch(Generic[V]):
    """Records of one partition, in order. `values[i]` was decoded from `records[i]`."""

    topic: str
    partition: int
    values: list[V]
    records: list[ConsumerRecord]
    #: Which attempt this is, from 1.
    attempt: int = 1
    #: When each of the earlier attempts began and when it had failed (Unix time, s), the oldest
    #: first; the last `MOST_FAILURES` of them.
    failures: tuple[tuple[float, float], ...] = field(default=(), compare=False, kw_only=True)
    #: When this attempt began (Unix time, s); None: it is the first.
    began: float | None = field(default=None, compare=False, kw_only=True)
    #: The services that are through with it.
    done_by: set[str] = field(default_factory=set, compare=False)
    #: Records that came with these and met a bug of the app's while they were decoded; each
    #: value is what decodes it anew. They are work like any other, which fails.
    bugs: "Batch[Callable[[], V]] | None" = field(default=None, init=False, compare=False)
    #: Under way beside it: records that came with these and can't be decoded become dead
    #: letters. The delivery is not done before. It is not waited for while reading, which would
    #: stop all partitions.
    rejection: asyncio.Task[None] | None = field(default=None, init=False, compare=False)
    #: Whether any of its records has headers.
    headed: bool = field(init=False, compare=False)
    #: Of all its records.
    keys: frozenset[bytes | None] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        # A list is quicker than asking one by one.
        headers = [record.headers for record in self.records]
        object.__setattr__(self, "headed", any(headers))
        object.__setattr__(self, "keys", frozenset([record.key for record in self.records]))

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[V]:
        return iter(self.values)

    def part(self, start: int, stop: int) -> "Batch[V]":
        """The records from `start` up to and without `stop`."""
        return self._with(self.values[start:stop], self.records[start:stop])

    def again(
        self, indices: Iterable[int], failures: tuple[tuple[float, float], ...], began: float
    ) -> "Batch[V]":
        """The records with these indices, for the next try, which begins at `began`."""
        chosen = list(indices)
        return Batch(
            self.topic,
            self.partition,
            [self.values[index] for index in chosen],
            [self.records[index] for index in chosen],
            self.attempt + 1,
            failures=failures[-MOST_FAILURES:],
            began=began,
        )

    def decoded(self: "Batch[Callable[[], V]]") -> "Batch[V]":
        """What `bugs` holds, decoded anew; raises what that raises."""
        return self._with([decode() for decode in self.values], self.records)

    def _with(self, values: list[W], records: list[ConsumerRecord]) -> "Batch[W]":
        return Batch(
            self.topic,
            self.partition,
            values,
            records,
            self.attempt,
            failures=self.failures,
            began=self.began,
        )

    def addressed_to(self, service: str) -> "Batch[V]":
        """The records that `service` has to process: all but replays for others."""
        if not self.headed or not any(is_replay(record.headers) for record in self.records):
            return self
        pairs = [
            (value, record)
            for value, record in zip(self.values, self.records, strict=True)
            if is_for(record, service)
        ]
        return Batch(self.topic, self.partition, [v for v, _ in pairs], [r for _, r in pairs])

    def runs(self) -> Iterator["Batch[V]"]:
        """Cut the batch so that no key occurs twice in one part; as a rule, one part."""
        if len(self.keys) == len(self):
            yield self
            return
        start, seen = 0, set[bytes]()
        for index, record in enumerate(self.records):
            if record.key in seen:
                yield self.part(start, index)
                start, seen = index, set()
            seen.add(record.key)
        yield self.part(start, len(self))
