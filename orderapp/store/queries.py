"""What is asked of a store, and what it answers."""

import msgspec

from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)


class OrderStory(msgspec.Struct, frozen=True):
    """An order with everything stored for it; `alerts` and `shadow` by their reasons, and
    `payment` is None until it is made. `shadow`, what rules in the shadow have found and
    active ones could not judge, is in the answer of `OrderStore.story` alone."""

    order: OrderDocument
    alerts: list[AlertDocument]
    payment: PaymentDocument | None
    dead_letter: DeadLetterDocument | None = None
    shadow: list[ShadowDocument] = []

    @property
    def in_shadow(self) -> list[ShadowDocument]:
        """Of `shadow` what rules in the shadow have found."""
        return [one for one in self.shadow if not one.failed]


class OrderQuery(msgspec.Struct, frozen=True):
    """Which orders to list, by `created_at` and order id, newest first."""

    limit: int = 50
    #: The `(created_at, order_id)` of the last order of the page before.
    after: tuple[str, int] | None = None
    country: str | None = None
    #: One of `STATUSES`.
    status: str | None = None
    #: The orders to list by `dead_letter`, and to leave out by `stored`. What was done with
    #: dead letters is noted in Kafka, and no store knows of it.
    given_up: frozenset[int] = frozenset()
    #: Only those that were created at or after `since`, and before `until`; in the form that
    #: documents have their times in.
    since: str | None = None
    until: str | None = None
    customer_id: int | None = None
    #: 32 hex digits.
    trace_id: str | None = None

    @property
    def begin(self) -> tuple[str, int] | None:
        """What every `(created_at, order_id)` of this page is less than; None: any is."""
        bounds = [self.after, None if self.until is None else (self.until, 0)]
        return min((bound for bound in bounds if bound is not None), default=None)

    def is_before_since(self, created_at: str) -> bool:
        """Whether an order of this time is too old, and with it all that follow in the list."""
        return self.since is not None and created_at < self.since

    @property
    def is_narrow(self) -> bool:
        """Whether it asks for few orders among many: those of one customer or one trace."""
        return self.customer_id is not None or self.trace_id is not None

    def is_about(self, story: OrderStory) -> bool:
        """Whether an order fits all but `after`."""
        order = story.order
        if not (
            self.country in (None, order.country)
            and self.customer_id in (None, order.customer_id)
            and self.trace_id in (None, order.trace_id)
        ):
            return False
        created_at = order.created_at
        if self.is_before_since(created_at) or created_at >= (self.until or "\uffff"):
            return False
        match self.status:
            case None:
                return True
            case "alert":
                return bool(story.alerts)
            case "dead_letter":
                return story.order.order_id in self.given_up
            case "stored":
                return story.payment is None and story.order.order_id not in self.given_up
            case _:
                return story.payment is not None and story.payment.status == self.status.upper()


#: What orders can be listed by. `alert` and `dead_letter`: those that have one, paid or not.
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
