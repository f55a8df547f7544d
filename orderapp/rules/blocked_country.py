"""Orders from countries that are blocked."""

from orderapp.models import Country, Order
from orderapp.rules import rule


@rule("off")
def blocked_country(order: Order, countries: frozenset[Country] = frozenset()) -> bool:
    """An order from a country that is on the list."""
    return order.country in countries
