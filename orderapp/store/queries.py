"""What is asked of a store, and what it answers."""

import msgspec

from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    OrderDocument,
    PaymentDocument,
)


class OrderStory(msgspec.Struct, frozen=True):
    """An order with everything stored for it; `alerts` by their reasons, and `payment` is None
    until it is made."""

    order: OrderDocument
    alerts: list[AlertDocument]
    payment: PaymentDocument | None
    dead_letter: DeadLetterDocument | None = None

    @property
    def status(self) -> str:
        """`stored`, then `paid` or `declined`; `dead_letter` when payment gave up."""
        if self.payment is not None:
            return self.payment.status.lower()
        if self.dead_letter is not None and "payment" in self.dead_letter.service.split(","):
            return "dead_letter"
        return "stored"


class OrderQuery(msgspec.Struct, frozen=True):
    """Which orders to list, by `created_at` and order id, newest first."""

    limit: int = 50
    #: The `(created_at, order_id)` of the last order of the page before.
    after: tuple[str, int] | None = None
    country: str | None = None
    #: One of `STATUSES`.
    status: str | None = None


#: What orders can be listed by. `alert`: those with a fraud alert, paid or not.
STATUSES = ("stored", "paid", "declined", "alert", "dead_letter")


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, and where the next page begins; `after` is None at the end.

    Even when there is a next page, this one may hold fewer orders than asked for, or none: how
    many orders one answer looks at is bounded."""

    stories: list[OrderStory]
    after: tuple[str, int] | None


class CountryStats(msgspec.Struct, frozen=True):
    """Counts for one country; `revenue` is the sum of what was paid."""

    country: str
    orders: int
    alerts: int
    paid: int
    declined: int
    revenue: float


class Activity(msgspec.Struct, frozen=True):
    """What Kafka took in the 10 seconds from `start` (Unix time in s, a multiple of 10)."""

    start: int
    orders: int
    alerts: int


class Stats(msgspec.Struct, frozen=True):
    """Totals by country (most orders first), and the activity since a moment, oldest first,
    without the spans in which nothing came."""

    countries: list[CountryStats]
    activity: list[Activity]
    #: When they were counted (Unix time in s); None: just now.
    counted: float | None = None
