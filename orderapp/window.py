"""What a rule with a window knows: a customer's latest orders, by Kafka's time.

What is kept follows from the set of records that a partition has had, and not from their order:
of the times of one order the latest counts, and of the orders those that are younger than the
latest time of all minus the length. So the last window's records are enough to build it again.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
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
        # By time; what is no longer kept is still in it for a while.
        self._queue: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return self._count

    def see(self, order: Order, at: int, lengths: Sequence[int]) -> list[Window | None]:
        """Take in an order's record; its windows of these lengths in seconds, none longer than
        all that is kept. None: the order is in that window already, and was judged there."""
        self._latest = max(self._latest, at)
        before = self._customers.get(order.customer_id, {}).get(order.order_id)
        seen = Seen(order.order_id, at, order.amount, intern(order.country))
        if before is None or before.at < at:
            self._keep(order.customer_id, seen)
            self._drop()
        return [self._window(order.customer_id, seen, before, length) for length in lengths]

    def _window(
        self, customer_id: int, seen: Seen, before: Seen | None, seconds: int
    ) -> Window | None:
        since = self._latest - seconds * 1000
        if before is not None and before.at > since:
            return None
        kept = self._customers.get(customer_id, {})
        if seen.at <= since or seen.order_id not in kept:
            return Window((seen,))
        return Window([one for one in kept.values() if one.at > since])

    def _keep(self, customer_id: int, seen: Seen) -> None:
        kept = self._customers.setdefault(customer_id, {})
        self._count += kept.pop(seen.order_id, None) is None
        kept[seen.order_id] = seen
        heappush(self._queue, (seen.at, seen.order_id, customer_id))
        if len(kept) > MOST_OF_ONE:
            oldest = min(kept.values(), key=lambda one: (one.at, one.order_id))
            self._remove(customer_id, oldest)

    def _drop(self) -> None:
        """Drop what is too old, and what there is no room for."""
        since, queue = self._latest - self.seconds * 1000, self._queue
        most = MOST * self.partitions
        while queue and (queue[0][0] <= since or self._count > most):
            at, order_id, customer_id = heappop(queue)
            seen = self._customers.get(customer_id, {}).get(order_id)
            if seen is not None and seen.at == at:
                self.dropped += at > since
                self._remove(customer_id, seen)
        if len(queue) > 2 * self._count + MOST_OF_ONE:
            self._queue = [
                (one.at, one.order_id, customer_id)
                for customer_id, kept in self._customers.items()
                for one in kept.values()
            ]
            heapify(self._queue)

    def _remove(self, customer_id: int, seen: Seen) -> None:
        kept = self._customers[customer_id]
        del kept[seen.order_id]
        self._count -= 1
        if not kept:
            del self._customers[customer_id]
