"""Where orders are kept: one small protocol, two adapters (SQLite, Couchbase)."""

from collections.abc import Sequence
from typing import Protocol

from orderapp.store.documents import (
    AlertDocument,
    DeadLetterDocument,
    Document,
    OrderDocument,
    PaymentDocument,
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

__all__ = [
    "STATUSES",
    "Activity",
    "AlertDocument",
    "CountryStats",
    "DeadLetterDocument",
    "Document",
    "OrderDocument",
    "OrderPage",
    "OrderQuery",
    "OrderStore",
    "OrderStory",
    "PaymentDocument",
    "Stats",
    "StoreError",
    "StoreRejected",
    "StoreUnavailable",
]


class StoreError(Exception):
    """Base of what a store raises; its text is one line and holds no secret."""


class StoreUnavailable(StoreError):  # noqa: N818 - says what is so
    """The store does not answer now; the same call may work later."""


class StoreRejected(StoreError):  # noqa: N818
    """The store will never accept this: wrong credentials, missing bucket, no access."""


class OrderStore(Protocol):
    """Keeps documents by id; every write may be repeated and the last one wins, as its `after`
    says. (SQLite keeps the newer of two that come from one partition, whichever is written
    last.)

    All methods may be called at the same time from one event loop, never block it, and raise
    `StoreUnavailable` or `StoreRejected` and nothing else.
    """

    async def open(self) -> None:
        """Connect, and create what is missing (tables, indexes). May be called again after it
        raised `StoreUnavailable`.

        A store that was made `read_only` creates nothing, and refuses tables that are missing
        or old; but an index that a read can't do without is made by that read."""

    async def close(self) -> None:
        """Let go of connections and threads. May be called twice, and without `open`."""

    async def ping(self) -> None:
        """Return within 2 s if the store can answer, raise if not."""

    async def upsert(self, documents: Sequence[Document]) -> None:
        """Write all documents of one batch (any mix of types); on return they are durable.

        When it raises, some may have been written: call it again with the same batch."""

    async def story(self, order_id: int) -> OrderStory | None:
        """The order with its alerts and payment, None if the order is not stored."""

    async def latest(self, limit: int) -> list[OrderStory]:
        """The last `limit` orders by `created_at`, newest first (ties: higher order id)."""

    async def page(self, query: OrderQuery) -> OrderPage:
        """A page of orders, in the order of `latest`. Reads by an index, never the whole."""

    async def stats(self, since: int) -> Stats:
        """Totals, and the activity since `since` (Unix time in s): of this moment, or of one
        that they name."""

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        """Up to `limit` documents of a type with an order id above `after`, ascending."""
