"""Which offsets of one partition may be committed. Pure bookkeeping, without Kafka.

Faust keeps a list of acked offsets and a set of gaps. In 0.15.3 a gap counts as done as soon
as *any* later offset is acked, includes the offset after it, and is not registered at all
when the first read offset is 0 or unknown; with batches (many offsets acked by one) or with
turns that overlap, that commits too much or nothing. A watermark needs no gaps: offsets that
were never delivered (compacted away, transaction markers) hold nothing back.
"""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _Span(NamedTuple, Generic[T]):
    first: int
    item: T


class Ledger(Generic[T]):
    """The spans of offsets that were read from one partition and are not done yet.

    A span is one delivery: a record, or a batch of records. It is known by its last offset,
    and `item` is whatever the caller keeps with it.
    """

    def __init__(self) -> None:
        self._pending: dict[int, _Span[T]] = {}  # in the order of reading, which is by offset
        self._first: int | None = None
        self._next: int | None = None

    def read(self, first: int, last: int, item: T) -> bool:
        """Note that offsets `first` to `last` (both included) are being worked on.

        False, and nothing noted, when they were read before."""
        if self._next is not None and last < self._next:
            return False
        if self._first is None:
            self._first = first
        self._pending[last] = _Span(first, item)
        self._next = last + 1
        return True

    def done(self, last: int) -> T | None:
        """Note that the span that ends with `last` is done; its item, None if unknown."""
        span = self._pending.pop(last, None)
        return span.item if span else None

    @property
    def committable(self) -> int | None:
        """The offset to commit (that of the next record to read), None before the first read:
        everything before it is done."""
        for span in self._pending.values():
            return span.first
        return self._next

    def uncommitted(self, committed: int | None) -> tuple[int, int]:
        """How many offsets are done beyond `committed`, and how many were read after those."""
        if self._first is None or self._next is None or self.committable is None:
            return 0, 0
        begin = max(self._first, committed or 0)
        return max(0, self.committable - begin), self._next - self.committable

    @property
    def position(self) -> int | None:
        """The offset after the last one read, None before the first read."""
        return self._next

    @property
    def pending(self) -> list[T]:
        """The items that are not done, oldest first."""
        return [span.item for span in self._pending.values()]

    def __len__(self) -> int:
        return len(self._pending)
