"""Large sums of one customer in a short time."""

from orderapp.models import Amount, Order
from orderapp.rules import Seconds, Window, rule


@rule("off")
def customer_spend(
    order: Order, window: Window, limit: Amount = 1000, seconds: Seconds = 3600
) -> str | None:
    """Orders of one customer that together are above the limit, within so many seconds."""
    spent = sum(one.amount for one in window)
    return f"{spent:.2f} in {seconds} s" if spent > limit else None
