"""Many orders of a customer, and large sums, in a short time."""

import pytest

from orderapp.judging import rules
from orderapp.models import Order
from orderapp.rules import Window
from orderapp.rules.customer_spend import customer_spend
from orderapp.rules.customer_velocity import customer_velocity
from orderapp.window import Seen

ORDER = Order(order_id=7, customer_id=1234, amount=10, country="DE", created_at="t")


def window(*amounts):
    return Window([Seen(n, n, amount, "DE") for n, amount in enumerate(amounts)])


@pytest.mark.parametrize(
    ("orders", "values", "detail"),
    [
        (1, {}, None),
        (3, {}, None),
        (4, {}, "4 orders in 60 s"),
        (4, {"limit": 4}, None),
        (9, {"limit": 4, "seconds": 5}, "9 orders in 5 s"),
    ],
)
def test_more_orders_than_the_limit_are_found(orders, values, detail):
    assert customer_velocity(ORDER, window(*[10.0] * orders), **values) == detail


@pytest.mark.parametrize(
    ("amounts", "values", "detail"),
    [
        ([1000.0], {}, None),
        ([600.0, 400.5], {}, "1000.50 in 3600 s"),
        ([6.0, 4.5], {"limit": 10, "seconds": 60}, "10.50 in 60 s"),
    ],
)
def test_a_sum_above_the_limit_is_found(amounts, values, detail):
    assert customer_spend(ORDER, window(*amounts), **values) == detail


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"limit": 0}, "limit=0 is not allowed: Expected `int` >= 1"),
        ({"limit": 1000}, "limit=1000 is not allowed: Expected `int` <= 999"),
        ({"seconds": 0}, "seconds=0 is not allowed: Expected `int` >= 1"),
        ({"seconds": 3601}, "seconds=3601 is not allowed: Expected `int` <= 3600"),
        ({"window": []}, "has no parameter window; it has limit, seconds"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_in_a_line(values, said):
    with pytest.raises(ValueError, match=said) as error:
        rules.declared["CUSTOMER_VELOCITY"].changed("active", 2, values)

    assert "\n" not in str(error.value)
