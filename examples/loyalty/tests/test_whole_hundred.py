"""Whole hundreds: which orders the rule finds."""

import pytest
from whole_hundred import whole_hundred

from orderapp.models import Order


@pytest.mark.parametrize(
    ("amount", "found"), [(399.0, None), (300.0, None), (400.5, None), (400.0, "4 hundreds")]
)
def test_whole_hundreds_from_the_least_on_are_found(amount, found):
    order = Order(order_id=7, customer_id=1234, amount=amount, country="US")

    assert whole_hundred(order) == found
