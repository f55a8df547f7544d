"""What a rule with a window knows: a customer's latest orders, by Kafka's time.

What is kept follows from the set of records that a partition has had, and not from their order:
of the times of one order the latest counts, and of the orders those that are younger than the
latest time of all minus the length. So the last window's records are enough to build it again.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from operator import attrgetter
from sys import intern
from typing import Annotated

import msgspec
from msgspec import Meta

from orderapp.models import Order

#: Orders of one customer that are kept, and of all together in a partition: the latest ones.
MOST_OF_ONE, MOST = 1_000, 100_000

#: The length of a window: an hour at most. A rule with a window has a parameter of this type.
Seconds = Annotated[
    int, Meta(ge=1, le=3600, description="How long a customer's orders are remembered.")
]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What a window keeps of an order."""

    order_id: int
    #: The Kafka timestamp of its latest record, in ms of Unix time.
    at: int
    amount: float
    country: str
    customer_id: int = 0


class Window(tuple[Seen, ...]):
    """What a rule knows of a customer: the orders that are younger than the latest time seen
    minus the rule's `seconds`, each once, the oldest first, the one that is judged among them.
    Each has `order_id`, `at` (its Kafka timestamp in ms), `amount` and `country`. There are
    1,000 at most, the latest ones; an order that comes when its time is over is alone."""

    __slots__ = ()


class Windows:
    """The latest orders of all customers of a partition, or of several."""

    def __init__(self, seconds: int, partitions: int = 1) -> None:
        self.seconds = seconds
        self.partitions = partitions
        #: Those that were dropped for want of room, though they were not too old.
        self.dropped = 0
        self._latest = 0
        self._count = 0
        # Of each customer by the id of the order, the oldest first.
        self._customers: dict[int, dict[int, Seen]] = {}
        # By the second, and the seconds as a heap. They are dropped a second at a time; what is
        # not kept any more is in there until then.
        self._by_second: dict[int, list[Seen]] = {}
        self._in_seconds = 0
        self._sequence: list[int] = []
        #: The second whose orders are sorted, the youngest first, to drop them one by one.
        self._sorted: int | None = None

    def __len__(self) -> int:
        return self._count

    def see(
        self, orders: Iterable[Order], times: Iterable[int], lengths: Sequence[int]
    ) -> list[list[Window | None]]:
        """Take in orders' records, which have these timestamps; for each of these lengths in
        seconds, none longer than all that is kept, the window of each order. None: the order is
        in that window already, and was judged there."""
        found: list[list[Window | None]] = [[] for _ in lengths]
        spans = [(n * 1000, own.append) for n, own in zip(lengths, found, strict=True)]
        customers = self._customers
        for order, at in zip(orders, times, strict=True):
            if at > self._latest:
                self._latest = at
            customer_id, order_id = order.customer_id, order.order_id
            kept = customers.get(customer_id)
            if kept is None:
                kept = customers[customer_id] = {}
            before = kept.get(order_id)
            seen = Seen(order_id, at, order.amount, intern(order.country), customer_id)
            if before is None or before.at < at:
                self._keep(kept, seen, before)
            for span, put in spans:
                since = self._latest - span
                if before is not None and before.at > since:
                    put(None)
                elif len(kept) < 2 or at <= since or order_id not in kept:
                    put(Window((seen,)))
                elif next(iter(kept.values())).at > since:  # the oldest
                    put(Window(kept.values()))
                else:
                    put(Window([one for one in kept.values() if one.at > since]))
        if self._in_seconds > 2 * self._count + MOST_OF_ONE:
            self._note_anew()
        return found

    def _keep(self, kept: dict[int, Seen], seen: Seen, before: Seen | None) -> None:
        if before is None:
            self._count += 1
        else:
            del kept[seen.order_id]  # it is now the last one
        is_late = seen.at < self._latest and kept and kept[next(reversed(kept))].at > seen.at
        kept[seen.order_id] = seen
        if is_late:
            for one in sorted(kept.values(), key=attrgetter("at")):
                kept[one.order_id] = kept.pop(one.order_id)
        if len(kept) > MOST_OF_ONE:
            self._remove(kept, max(kept.values(), key=_age))
        noted = self._by_second.get(seen.at // 1000)
        if noted is None or seen.at // 1000 == self._sorted:
            self._note(seen)
            self._drop()
        else:
            self._in_seconds += 1
            noted.append(seen)
            if self._count > MOST * self.partitions:
                self._drop()

    def _note(self, seen: Seen) -> None:
        """Note when an order has to be dropped."""
        second = seen.at // 1000
        noted = self._by_second.get(second)
        self._in_seconds += 1
        if noted is None:
            self._by_second[second] = [seen]
            heappush(self._sequence, second)
        elif second == self._sorted:
            insort(noted, seen, key=_age)
        else:
            noted.append(seen)

    def _note_anew(self) -> None:
        self._by_second, self._sequence, self._in_seconds = {}, [], 0
        self._sorted = None
        for kept in self._customers.values():
            for one in kept.values():
                self._note(one)

    def _drop(self) -> None:
        """Drop what is too old, and what there is no room for."""
        since, most = self._latest - self.seconds * 1000, MOST * self.partitions
        while self._sequence and self._sequence[0] * 1000 + 999 <= since:
            for seen in self._end_second():
                self._drop_one(seen, since)
        while self._count > most:
            second = self._sequence[0]
            oldest = self._by_second[second]
            if second != self._sorted:
                oldest.sort(key=_age)
                self._sorted = second
            while oldest and self._count > most:
                self._drop_one(oldest.pop(), since)
                self._in_seconds -= 1
            if not oldest:
                self._end_second()

    def _end_second(self) -> list[Seen]:
        ended = self._by_second.pop(heappop(self._sequence))
        self._in_seconds -= len(ended)
        return ended

    def _drop_one(self, seen: Seen, since: int) -> None:
        kept = self._customers.get(seen.customer_id)
        # A later record of the order may have taken its place.
        if kept is not None and kept.get(seen.order_id) is seen:
            self.dropped += seen.at > since
            self._remove(kept, seen)

    def _remove(self, kept: dict[int, Seen], seen: Seen) -> None:
        del kept[seen.order_id]
        self._count -= 1
        if not kept:
            del self._customers[seen.customer_id]


def _age(seen: Seen) -> tuple[int, int]:
    """Sorts the youngest first."""
    return -seen.at, -seen.order_id
