"""What travels: one Record for each message, checked when it is read.

The annotations are the wire contract. The batch engine compiles them into checks; fields
are only ever added, and what a newer producer adds an older consumer ignores.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import faust
from msgspec import Meta

Id = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # exact in JavaScript too
CustomerId = Annotated[int, Meta(ge=1000, le=9999)]
#: Far above any order. A sum of floats without a bound ends at infinity, and the difference of
#: two of those is no number: no store could keep the revenue.
Amount = Annotated[float, Meta(ge=0, le=1e12)]
#: As many as every store holds.
Attempts = Annotated[int, Meta(ge=0, le=2**53 - 1)]
PaymentStatus = Literal["PAID", "DECLINED"]
Country = Annotated[str, Meta(min_length=1, max_length=64)]

_WIDTH = len("2026-11-23T18:00:00.123456Z")


class Order(faust.Record, include_metadata=False, serializer="json"):
    """An order, as customers (or the producer) send it to the topic `orders`."""

    order_id: Id
    customer_id: CustomerId
    amount: Amount
    country: Country
    #: ISO 8601 UTC in one fixed width, so that it sorts as text. A missing one is filled in
    #: from the record's Kafka timestamp.
    created_at: str | None = None


class FraudAlert(faust.Record, include_metadata=False, serializer="json"):
    """A risky order, on the topic `fraud-alerts`."""

    order_id: Id
    reason: str
    amount: Amount
    country: Country
    customer_id: CustomerId
    detected_at: str
    #: That of the order.
    created_at: str | None = None


class Payment(faust.Record, include_metadata=False, serializer="json"):
    """What the gateway said to an order, on the topic `payments`."""

    order_id: Id
    #: Computed from the order id: the same order always has the same.
    payment_id: str
    status: PaymentStatus
    amount: Amount
    paid_at: str
    #: How often the gateway was asked until it answered.
    attempts: Attempts = 1
    #: Those of the order, so that payments can be listed and counted by them.
    country: Country | None = None
    created_at: str | None = None


def format_time(moment: datetime) -> str:
    """`moment` (with time zone) as ISO 8601 UTC in the fixed width."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def now() -> str:
    """The present moment in the same form."""
    return format_time(datetime.now(UTC))


def normal_time(text: str | None, timestamp_ms: int) -> str:
    """Bring a sender's time into the one form; `timestamp_ms` (Unix time) when there is none.

    Raises ValueError when `text` is no ISO 8601 time.
    """
    if text is None:
        return format_time(datetime.fromtimestamp(timestamp_ms / 1000, UTC))
    moment = datetime.fromisoformat(text)
    # From the fifth character on, each third one is a separator. With these at their places no
    # other form has this length: weeks, commas and times without colons go the long way.
    if len(text) == _WIDTH and text[4:20:3] == "--T::." and text[26] == "Z":
        return text
    # A time without a zone is taken as UTC, which the contract asks for.
    return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
