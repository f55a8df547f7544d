"""Orders of whole hundreds: who tries a stolen card likes round amounts."""

from orderapp.models import Amount, Order
from orderapp.rules import rule


@rule("active")
def whole_hundred(order: Order, least: Amount = 400) -> str | None:
    """An order of so many whole hundreds."""
    if order.amount < least or order.amount % 100:
        return None
    return f"{order.amount / 100:.0f} hundreds"
