"""Orders of customers who are blocked."""

from orderapp.models import CustomerId, Order
from orderapp.rules import rule


@rule("off")
def blocked_customer(order: Order, customers: frozenset[CustomerId] = frozenset()) -> bool:
    """An order of a customer who is on the list."""
    return order.customer_id in customers
