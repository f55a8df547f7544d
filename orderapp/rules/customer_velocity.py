"""Many orders of one customer in a short time."""

from typing import Annotated

from msgspec import Meta

from orderapp.models import Order
from orderapp.rules import Seconds, Window, rule
from orderapp.window import MOST_OF_ONE

Limit = Annotated[int, Meta(ge=1, lt=MOST_OF_ONE, description="Orders that are not too many.")]


@rule("off")
def customer_velocity(
    order: Order, window: Window, limit: Limit = 3, seconds: Seconds = 60
) -> str | None:
    """More orders of one customer than the limit, within so many seconds."""
    return f"{len(window)} orders in {seconds} s" if len(window) > limit else None
