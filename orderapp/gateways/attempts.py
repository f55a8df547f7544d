"""When the gateway was asked."""

from datetime import UTC, datetime

from msgspec import UNSET, UnsetType

from orderapp.engine import Batch
from orderapp.models import MOST_TIMED, Attempt, Order, format_time


def times_of(orders: Batch[Order], paid_at: str) -> list[Attempt] | UnsetType:
    """When the attempts at these orders began and ended, of which the last was answered."""
    if orders.began is None:
        return UNSET
    failed = [Attempt(*map(_time, span)) for span in orders.failures[1 - MOST_TIMED :]]
    # `now` may be 0.1 ms old.
    return [*failed, Attempt(min(_time(orders.began), paid_at), paid_at)]


def _time(moment: float) -> str:
    return format_time(datetime.fromtimestamp(moment, UTC))
