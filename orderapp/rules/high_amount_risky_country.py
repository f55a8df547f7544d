"""Large orders from countries that are not known to be safe."""

from orderapp.models import Amount, Country, Order
from orderapp.rules import rule

SAFE = frozenset({"US", "CA"})


@rule("active")
def high_amount_risky_country(
    order: Order, limit: Amount = 300, safe_countries: frozenset[Country] = SAFE
) -> bool:
    """An order above the limit from a country that is not known to be safe."""
    return order.amount > limit and order.country not in safe_countries
