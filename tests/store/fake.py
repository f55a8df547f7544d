"""`MemoryStore`: an `OrderStore` without a file or a server, for the tests of other parts."""

import math
from collections.abc import Sequence

from msgspec.structs import replace

from orderapp.store import (
    Activity,
    AlertDocument,
    CountryStats,
    DeadLetterDocument,
    Document,
    Finding,
    OrderDocument,
    OrderPage,
    OrderQuery,
    OrderStory,
    PaymentDocument,
    Reservation,
    ShadowDocument,
    Stats,
    StoreError,
    StoreUnavailable,
)


class MemoryStore:
    """Keeps documents by id in `documents`; `fail` makes the next calls fail."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self._reasons: dict[int, set[str]] = {}
        self.batches: list[list[Document]] = []
        self.reservations: dict[str, Reservation] = {}
        self._failures: list[StoreError] = []
        self._is_open = False

    def fail(self, *errors: StoreError) -> None:
        """Raise these from the next calls (of every method but `open` and `close`)."""
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
        for document in documents:
            self.documents[document.id] = document.after(self.documents.get(document.id))
            if isinstance(document, Finding):
                self._reasons.setdefault(document.order_id, set()).add(document.reason)

    async def reserve(self, wanted: Reservation) -> Reservation:
        self._check()
        found = self.reservations.get(wanted.key)
        if found is None or found.has_expired():
            found = self.reservations[wanted.key] = wanted
        return found

    async def replace_reservation(self, before: Reservation, after: Reservation) -> bool:
        self._check()
        if self.reservations.get(before.key) != before:
            return False
        self.reservations[before.key] = after
        return True

    async def story(self, order_id: int) -> OrderStory | None:
        self._check()
        found = self._story(order_id)
        reasons = sorted(self._reasons.get(order_id, ()))
        kept = [self.documents.get(f"shadow::{order_id}::{reason}") for reason in reasons]
        shadow = [one for one in kept if isinstance(one, ShadowDocument)]
        return found and replace(found, shadow=shadow)

    async def stored(self, order_ids: Sequence[int]) -> set[int]:
        self._check()
        return {order_id for order_id in order_ids if self._story(order_id)}

    async def latest(self, limit: int) -> list[OrderStory]:
        self._check()
        return self._newest()[: max(limit, 0)]

    async def page(self, query: OrderQuery) -> OrderPage:
        self._check()
        found = [story for story in self._newest() if _is_asked_for(story, query)]
        page = found[: query.limit]
        return OrderPage(page, _key(page[-1]) if len(found) > len(page) else None)

    async def stats(self, since: int) -> Stats:
        self._check()
        documents = list(self.documents.values())
        others = DeadLetterDocument | ShadowDocument
        names = {d.country for d in documents if not isinstance(d, others)}
        countries = [_count(name, documents) for name in sorted(names)]
        countries = [c for c in countries if c.orders or c.alerts or c.paid or c.declined]
        countries.sort(key=lambda country: -country.orders)
        counted = [d for d in documents if isinstance(d, OrderDocument | AlertDocument)]
        spans: dict[int, list[type[Document]]] = {}
        for document in counted:
            start = document.kafka_timestamp // 10_000 * 10
            spans.setdefault(start, []).append(type(document))
        activity = [
            Activity(start, kinds.count(OrderDocument), kinds.count(AlertDocument))
            for start, kinds in sorted(spans.items())
            if start >= since // 10 * 10
        ]
        return Stats(countries, activity)

    async def scan(self, kind: type[Document], after: int | None, limit: int) -> list[Document]:
        self._check()
        found = [d for d in self.documents.values() if type(d) is kind]
        found = [d for d in found if after is None or d.order_id > after]
        found.sort(key=lambda d: (d.order_id, d.id))
        part = found[: max(limit, 0)]
        return [d for d in found if part and d.order_id <= part[-1].order_id]

    def _check(self) -> None:
        if not self._is_open:
            raise StoreUnavailable("memory: the store is not open")
        if self._failures:
            raise self._failures.pop(0)

    def _newest(self) -> list[OrderStory]:
        orders = (d for d in self.documents.values() if isinstance(d, OrderDocument))
        stories = [story for o in orders if (story := self._story(o.order_id)) is not None]
        return sorted(stories, key=_key, reverse=True)

    def _story(self, order_id: int) -> OrderStory | None:
        order = self.documents.get(str(order_id))
        reasons = sorted(self._reasons.get(order_id, ()))
        alerts = [self.documents.get(f"alert::{order_id}::{reason}") for reason in reasons]
        payment = self.documents.get(f"payment::{order_id}")
        dead_letter = self.documents.get(f"dead-letter::{order_id}")
        if not isinstance(order, OrderDocument):
            return None
        return OrderStory(
            order=order,
            alerts=[alert for alert in alerts if isinstance(alert, AlertDocument)],
            payment=payment if isinstance(payment, PaymentDocument) else None,
            dead_letter=dead_letter if isinstance(dead_letter, DeadLetterDocument) else None,
        )


def _key(story: OrderStory) -> tuple[str, int]:
    return story.order.created_at, story.order.order_id


def _is_asked_for(story: OrderStory, query: OrderQuery) -> bool:
    return (query.after is None or _key(story) < query.after) and query.is_about(story)


def _count(country: str, documents: list[Document]) -> CountryStats:
    orders = [d for d in documents if isinstance(d, OrderDocument) and d.country == country]
    alerts = [d for d in documents if isinstance(d, AlertDocument) and d.country == country]
    payments = [d for d in documents if isinstance(d, PaymentDocument) and d.country == country]
    paid = [p.amount for p in payments if p.status == "PAID"]
    declined = [p for p in payments if p.status == "DECLINED"]
    revenue = round(math.fsum(paid), 2)
    return CountryStats(country, len(orders), len(alerts), len(paid), len(declined), revenue)
