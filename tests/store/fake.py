"""`MemoryStore`: an `OrderStore` without a file or a server, for the tests of other parts."""

from collections.abc import Sequence

from orderapp.store import (
    AlertDocument,
    Document,
    OrderDocument,
    OrderStory,
    PaymentDocument,
    StoreError,
    StoreUnavailable,
)


class MemoryStore:
    """Keeps documents by id in `documents`; `fail` makes the next calls fail."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.batches: list[list[Document]] = []
        self._failures: list[StoreError] = []
        self._is_open = False

    def fail(self, *errors: StoreError) -> None:
        """Raise these from the next calls (of `upsert`, `story`, `latest`, `ping`)."""
        self._failures.extend(errors)

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    async def ping(self) -> None:
        self._check()

    async def upsert(self, documents: Sequence[Document]) -> None:
        self._check()
        self.batches.append(list(documents))
        self.documents |= {document.id: document for document in documents}

    async def story(self, order_id: int) -> OrderStory | None:
        self._check()
        return self._story(order_id)

    async def latest(self, limit: int) -> list[OrderStory]:
        self._check()
        orders = [d for d in self.documents.values() if isinstance(d, OrderDocument)]
        orders.sort(key=lambda order: (order.created_at, order.order_id), reverse=True)
        stories = (self._story(order.order_id) for order in orders[: max(limit, 0)])
        return [story for story in stories if story is not None]

    def _check(self) -> None:
        if not self._is_open:
            raise StoreUnavailable("memory: the store is not open")
        if self._failures:
            raise self._failures.pop(0)

    def _story(self, order_id: int) -> OrderStory | None:
        order = self.documents.get(str(order_id))
        alert = self.documents.get(f"alert::{order_id}")
        payment = self.documents.get(f"payment::{order_id}")
        if not isinstance(order, OrderDocument):
            return None
        return OrderStory(
            order=order,
            alerts=[alert] if isinstance(alert, AlertDocument) else [],
            payment=payment if isinstance(payment, PaymentDocument) else None,
        )
