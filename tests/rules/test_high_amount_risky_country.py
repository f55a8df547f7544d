"""Large orders from countries that are not known to be safe."""

import pytest

from orderapp.models import Order
from orderapp.rules.high_amount_risky_country import high_amount_risky_country


def order(amount, country):
    return Order(order_id=7, customer_id=1234, amount=amount, country=country, created_at="t")


@pytest.mark.parametrize(
    ("amount", "country", "risky"),
    [
        (10, "DE", False),
        (300, "DE", False),
        (350, "US", False),
        (350, "CA", False),
        (300.01, "DE", True),
        (350, "IN", True),
        (350, "GB", True),
        (350, "us", True),  # an unknown country is not a safe one
    ],
)
def test_large_orders_from_other_countries_are_risky(amount, country, risky):
    assert high_amount_risky_country(order(amount, country)) is risky


def test_limit_and_safe_countries_can_be_others():
    assert high_amount_risky_country(order(100, "DE"), limit=99)
    assert not high_amount_risky_country(order(350, "DE"), safe_countries={"DE"})
