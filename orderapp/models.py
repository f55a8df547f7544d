"""What travels: one Record for each message, checked when it is read.

The annotations are the wire contract. The batch engine compiles them into checks; fields
are only ever added, and what a newer producer adds an older consumer ignores.
"""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from orderapp.engine.observe.times import Time, parse_time
from orderapp.engine.record import Record

#: The largest whole number up to which JavaScript is exact; every store holds it.
LARGEST = 2**53 - 1
Id = Annotated[int, Meta(ge=0, le=LARGEST)]
CustomerId = Annotated[int, Meta(ge=1000, le=9999)]
#: Far above any order. A sum of floats without a bound ends at infinity, and the difference of
#: two of those is no number: no store could keep the revenue.
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Attempts = Annotated[int, Meta(ge=0, le=LARGEST)]
PaymentStatus = Literal["PAID", "DECLINED"]
#: `off`: not asked; `shadow`: what it finds goes to `fraud-alerts-shadow`; `active`: alerts.
RuleState = Literal["off", "shadow", "active"]
#: The id of a rule; a document's key has it too, and Couchbase takes 250 bytes.
Reason = Annotated[str, Meta(max_length=50)]
Detail = Annotated[str, Meta(max_length=200)]
LONGEST_AUTHOR = 100
Author = Annotated[str, Meta(max_length=LONGEST_AUTHOR)]
Country = Annotated[str, Meta(min_length=1, max_length=64)]

_WIDTH = len("2026-11-23T18:00:00.123456Z")
#: How far a sender's clock may be ahead.
DAY_MS = 86_400_000


class Order(Record, include_metadata=False, serializer="json"):
    """An order, as customers (or the producer) send it to the topic `orders`."""

    order_id: Id
    customer_id: CustomerId
    amount: Amount
    country: Country
    #: RFC 3339; kept as UTC in one fixed width, so that it sorts as text. A missing one, and
    #: one that is far ahead, is filled in from the record's Kafka timestamp.
    created_at: Time | None = None


class FraudAlert(Record, include_metadata=False, serializer="json"):
    """A risky order, on the topic `fraud-alerts`."""

    order_id: Id
    #: The id of the rule that has found it.
    reason: Reason
    amount: Amount
    country: Country
    customer_id: CustomerId
    detected_at: Time
    #: That of the order.
    created_at: Time | None = None
    #: Which version of the rule it was, from 1; 0: an older sender does not say.
    rule_version: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    #: What the rule says of this order, for people.
    detail: Detail = ""
    #: Only on `fraud-alerts-shadow`, and only where it is true: an active rule with a window
    #: could not judge the order, `detail` says why.
    failed: bool | UnsetType = UNSET


class Attempt(Struct, frozen=True, gc=False):
    """When the gateway was asked, and when it had answered or was waited for no longer."""

    began: Time
    ended: Time


#: So many attempts of a payment have their times, the last ones.
MOST_TIMED = 50


class Payment(Record, include_metadata=False, serializer="json"):
    """What the gateway said to an order, on the topic `payments`."""

    order_id: Id
    #: Computed from the order id: the same order always has the same.
    payment_id: str
    status: PaymentStatus
    amount: Amount
    paid_at: Time
    #: How often the gateway was asked until it answered.
    attempts: Attempts = 1
    #: Those of the order, so that payments can be listed and counted by them.
    country: Country | None = None
    created_at: Time | None = None
    #: Not there when the first attempt was answered. Else when each of the attempts, or of the
    #: last ones, began and ended, the oldest first; the last one ends with `paid_at`.
    attempt_times: Annotated[list[Attempt], Meta(max_length=MOST_TIMED)] | UnsetType = UNSET


class RuleChange(Record, include_metadata=False, serializer="json"):
    """What a rule is from now on, on the topic `orderapp-control`."""

    #: The rule's id.
    rule: Reason
    state: RuleState
    #: One more than that of the change before; a rule is declared as version 1.
    version: Annotated[int, Meta(ge=2, le=LARGEST)]
    #: All of the rule's.
    parameters: dict[str, Any]
    changed_at: Time
    #: Who has made the change, for people.
    author: Author = ""


def rule_key(change: RuleChange) -> bytes:
    """`rule:` and the rule's id"""
    return f"rule:{change.rule}".encode()


#: How keys of `FaultChange` begin.
FAULT = "fault:"


class FaultChange(Record, include_metadata=False, serializer="json"):
    """How much is broken on purpose from now on, on the topic `orderapp-control`."""

    #: The name of the fault.
    fault: Reason
    #: A rate from 0 to 1, or seconds; 0: nothing.
    value: Annotated[float, Meta(ge=0, le=86_400)]
    #: One more than that of the change before; what the settings say is version 1.
    version: Annotated[int, Meta(ge=2, le=LARGEST)]
    changed_at: Time
    #: Who has made the change, for people.
    author: Author = ""


def format_time(moment: datetime) -> str:
    """`moment` (with time zone) as ISO 8601 UTC in the fixed width."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def now() -> str:
    """The present moment in the same form, to 0.1 ms: to write it anew for each of a batch's
    messages would cost more than all else that is done for them."""
    global _now, _now_ns
    ns = time.time_ns()
    if not 0 <= ns - _now_ns < 100_000:
        _now, _now_ns = format_time(datetime.now(UTC)), ns
    return _now


_now, _now_ns = "", 0


def one_form(text: str) -> str:
    """Bring a sender's time into the one form; ValueError, which names it, when it is none."""
    return format_time(parse_time(text))


def known_time(text: str) -> str | None:
    """A time that was kept, in the one form; None for what is none, such as empty text."""
    if not text:
        return None
    try:
        if len(text) == _WIDTH and text[4:20:3] == "--T::." and text[26] == "Z":
            datetime.fromisoformat(text)
            return text
        return one_form(text)
    except ValueError:
        return None


def normal_time(text: str | None, timestamp_ms: int) -> str:
    """The time of a record in the one form; its timestamp (Unix time) when there is none.

    One more than a day ahead of the timestamp is replaced by that: a clock that is ahead must
    not hold the top of every list. A timestamp that is none (0 or less), or is itself more than
    a day ahead of this machine's clock, counts for nothing: the clock takes its place.

    Raises ValueError, which names `text`, when that is no RFC 3339 time."""
    if text is None:
        return format_time(_from_ms(_known(timestamp_ms)))
    try:
        # With these at their places no other form has this length. Only numbers can be wrong.
        if len(text) == _WIDTH and text[4:20:3] == "--T::." and text[26] == "Z":
            datetime.fromisoformat(text)
        else:
            text = one_form(text)
    except ValueError:
        text = one_form(text)
    if text <= _latest and timestamp_ms >= _since_ms:
        return text
    return _not_ahead(text, timestamp_ms)


# A time until `_latest` is not ahead of a record from `_since_ms` on. To compute that for each
# record would cost more than all else here.
_latest, _since_ms = "", 0


def _not_ahead(text: str, timestamp_ms: int) -> str:
    global _latest, _since_ms
    now_ms = int(time.time() * 1000)
    reference = _known(timestamp_ms) if timestamp_ms else now_ms
    _since_ms = min(reference, now_ms)
    _latest = format_time(_from_ms(_since_ms + DAY_MS))
    if text <= format_time(_from_ms(reference + DAY_MS)):
        return text
    return format_time(_from_ms(reference))


def _known(timestamp_ms: int) -> int:
    """A record's timestamp, or this machine's clock when it can't be one."""
    now_ms = int(time.time() * 1000)
    return timestamp_ms if 0 <= timestamp_ms <= now_ms + DAY_MS else now_ms


def _from_ms(timestamp_ms: int) -> datetime:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)
