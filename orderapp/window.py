"""What a rule with a window knows: a customer's latest orders, by Kafka's time.

What is kept follows from the set of records that a partition has had, and not from their order:
of the times of one order the latest counts, and of the orders those that are younger than the
latest time of all minus the length. So the last window's records are enough to build it again.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from sys import intern
from typing import Annotated

import msgspec
from msgspec import Meta

from orderapp.models import Order

#: Orders of one customer that are kept, and of all together in a partition: the latest ones.
MOST_OF_ONE, MOST = 1_000, 100_000

#: The length of a window: an hour at most. A rule with a window has a parameter of this type.
Seconds = Annotated[int, Meta(ge=1, le=3600)]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What a window keeps of an order."""

    order_id: int
    #: The Kafka timestamp of its latest record, in ms of Unix time.
    at: int
    amount: float
    country: str


class Window(tuple[Seen, ...]):
    """What a rule knows of a customer: the orders that are younger than the latest time seen
    minus the rule's `seconds`, each once, the one that is judged among them. Each has
    `order_id`, `at` (its Kafka timestamp in ms), `amount` and `country`. There are 1,000 at
    most, the latest ones; an order that comes when its time is over is alone."""

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
        self._customers: dict[int, dict[int, Seen]] = {}
        # Times, order ids and customer ids by the second, and the seconds as a heap. They are
        # dropped a second at a time; what is not kept any more is in there until then.
        self._by_second: dict[int, list[tuple[int, int, int]]] = {}
        self._in_seconds = 0
        self._sequence: list[int] = []

    def __len__(self) -> int:
        return self._count

    def see(self, order: Order, at: int, lengths: Sequence[int]) -> list[Window | None]:
        """Take in an order's record; its windows of these lengths in seconds, none longer than
        all that is kept. None: the order is in that window already, and was judged there."""
        if at > self._latest:
            self._latest = at
        kept = self._customers.get(order.customer_id)
        if kept is None:
            kept = self._customers[order.customer_id] = {}
        before = kept.get(order.order_id)
        seen = Seen(order.order_id, at, order.amount, intern(order.country))
        if before is None or before.at < at:
            self._keep(order.customer_id, kept, seen, before)
        return [self._window(kept, seen, before, length) for length in lengths]

    def _window(
        self, kept: dict[int, Seen], seen: Seen, before: Seen | None, seconds: int
    ) -> Window | None:
        since = self._latest - seconds * 1000
        if before is not None and before.at > since:
            return None
        if seen.at <= since or seen.order_id not in kept:
            return Window((seen,))
        return Window([one for one in kept.values() if one.at > since])

    def _keep(
        self, customer_id: int, kept: dict[int, Seen], seen: Seen, before: Seen | None
    ) -> None:
        if before is None:
            self._count += 1
        else:
            del kept[seen.order_id]  # it is now the last one
        kept[seen.order_id] = seen
        if len(kept) > MOST_OF_ONE:
            oldest = min(kept.values(), key=lambda one: (one.at, one.order_id))
            self._remove(customer_id, oldest)
        is_new = self._note(seen.at, seen.order_id, customer_id)
        if is_new or self._count > MOST * self.partitions:
            self._drop()
        if self._in_seconds > 2 * self._count + MOST_OF_ONE:
            self._note_anew()

    def _note(self, at: int, order_id: int, customer_id: int) -> bool:
        """Note when an order has to be dropped; whether it is the first one of its second."""
        second = at // 1000
        noted = self._by_second.get(second)
        is_new = noted is None
        if noted is None:
            noted = self._by_second[second] = []
            heappush(self._sequence, second)
        noted.append((at, order_id, customer_id))
        self._in_seconds += 1
        return is_new

    def _note_anew(self) -> None:
        self._by_second, self._sequence, self._in_seconds = {}, [], 0
        for customer_id, kept in self._customers.items():
            for one in kept.values():
                self._note(one.at, one.order_id, customer_id)

    def _drop(self) -> None:
        """Drop what is too old, and what there is no room for."""
        since, most = self._latest - self.seconds * 1000, MOST * self.partitions
        while self._sequence and self._sequence[0] * 1000 + 999 <= since:
            for noted in self._by_second[self._sequence[0]]:
                self._drop_one(*noted, since)
            self._end_second()
        while self._count > most:
            oldest = self._by_second[self._sequence[0]]
            oldest.sort(reverse=True)
            while oldest and self._count > most:
                self._drop_one(*oldest.pop(), since)
                self._in_seconds -= 1
            if not oldest:
                self._end_second()

    def _end_second(self) -> None:
        self._in_seconds -= len(self._by_second.pop(heappop(self._sequence)))

    def _drop_one(self, at: int, order_id: int, customer_id: int, since: int) -> None:
        seen = self._customers.get(customer_id, {}).get(order_id)
        if seen is not None and seen.at == at:
            self.dropped += at > since
            self._remove(customer_id, seen)

    def _remove(self, customer_id: int, seen: Seen) -> None:
        kept = self._customers[customer_id]
        del kept[seen.order_id]
        self._count -= 1
        if not kept:
            del self._customers[customer_id]
