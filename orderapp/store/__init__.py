"""Where orders are kept: one small protocol with two adapters, SQLite and Couchbase."""

from collections.abc import Sequence
from typing import Protocol

from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    Finding,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)
from orderapp.store.queries import (
    STATUSES,
    Activity,
    CountryStats,
    OrderPage,
    OrderQuery,
    OrderStory,
    Stats,
)
from orderapp.store.reservations import Reservation

__all__ = [
    "STATUSES",
    "Activity",
    "AlertDocument",
    "CountryStats",
    "DeadLetterDocument",
    "Document",
    "Finding",
    "OrderDocument",
    "OrderPage",
    "OrderQuery",
    "OrderStore",
    "OrderStory",
    "PaymentDocument",
    "Reservation",
    "ShadowDocument",
    "Stats",
    "StoreError",
    "StoreRejected",
    "StoreUnavailable",
]


class StoreError(Exception):
    """Base of what a store raises; its text is one line and holds no secret.

    `public`: what of it clients of the API may know, without hosts and files."""

    def __init__(self, text: str = "", *, public: str = "") -> None:
        super().__init__(text)
        self.public = public


class StoreUnavailable(StoreError):  # noqa: N818 - names a state
    """The store does not answer now; the same call may work later."""


class StoreRejected(StoreError):  # noqa: N818
    """The store will never accept this: wrong credentials, missing bucket, no access."""


class OrderStore(Protocol):
    """Keeps documents by id. Every write may be repeated; the last one wins, and what it keeps
    of the document before is for `Document.after` to say. (Of two documents from the same
    partition SQLite keeps the newer, whichever is written last.)

    All methods may be called at the same time from one event loop, never block it, and raise
    `StoreUnavailable` or `StoreRejected` and nothing else."""

    async def open(self) -> None:
        """Connect, and create what is missing (tables, indexes). May be called again after it
        raised `StoreUnavailable`.

        A `read_only` store creates nothing here and refuses tables that are missing or old; an
        index that a read can't do without is created by that read."""

    async def close(self) -> None:
        """Let go of connections and threads. May be called twice, and without `open`."""

    async def ping(self) -> None:
        """Return within 2 s if the store can answer; raise if not."""

    async def upsert(self, documents: Sequence[Document]) -> None:
        """Write all documents of one batch (any mix of types); on return they are durable.

        When it raises, some may have been written: call it again with the same batch."""

    async def reserve(self, wanted: Reservation) -> Reservation:
        """Keep a reservation until it expires, durably, and return it; or the one that its key
        has already. One atomic step: of all who try at once, everywhere, one gets its own.

        When it raises, it may have been kept."""

    async def replace_reservation(self, before: Reservation, after: Reservation) -> bool:
        """Keep `after` instead of `before`, which has the same key and order. False, and
        nothing is changed, when another one is kept by now, or none.

        When it raises, it may have been changed."""

    async def story(self, order_id: int) -> OrderStory | None:
        """The order with all that is stored for it, None if the order is not."""

    async def stored(self, order_ids: Sequence[int]) -> set[int]:
        """Which of these orders are stored; of many more quickly than by `story`."""

    async def latest(self, limit: int) -> list[OrderStory]:
        """The last `limit` orders by `created_at`, newest first (ties: higher order id)."""

    async def page(self, query: OrderQuery) -> OrderPage:
        """A page of orders, in the order of `latest`. Reads by an index, never the whole."""

    async def stats(self, since: int) -> Stats:
        """Totals, and the activity since `since` (Unix time in s), as of now or of the moment
        that `counted` names."""

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """Documents of a type with an order id above `after`, ascending: `limit` of them, and
        what else there is of the last one's order."""
