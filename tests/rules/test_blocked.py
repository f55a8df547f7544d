"""Blocked customers and countries."""

import pytest

from orderapp.judging import rules
from orderapp.models import Order
from orderapp.rules.blocked_country import blocked_country
from orderapp.rules.blocked_customer import blocked_customer

ORDER = Order(order_id=7, customer_id=1234, amount=350, country="DE", created_at="t")


def test_nobody_is_blocked_at_first():
    assert not blocked_customer(ORDER)
    assert not blocked_country(ORDER)
    assert rules.all["BLOCKED_CUSTOMER"].state == rules.all["BLOCKED_COUNTRY"].state == "off"


@pytest.mark.parametrize(("customers", "blocked"), [([1235], False), ([1234, 1235], True)])
def test_who_is_on_the_list_is_blocked(customers, blocked):
    assert rules.all["BLOCKED_CUSTOMER"].bound(customers=customers)(ORDER) is blocked


@pytest.mark.parametrize(("countries", "blocked"), [(["US"], False), (["DE"], True)])
def test_a_country_on_the_list_is_blocked(countries, blocked):
    assert rules.all["BLOCKED_COUNTRY"].bound(countries=countries)(ORDER) is blocked
