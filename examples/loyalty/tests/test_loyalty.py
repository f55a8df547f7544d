"""Loyalty: who gets how many points."""

import pytest
from loyalty import loyalty

from orderapp.models import Payment
from orderapp.testing import run


def payment(amount, status="PAID"):
    return Payment(order_id=7, payment_id="pay-7", status=status, amount=amount, paid_at="now")


@pytest.mark.parametrize("declined", [payment(20.0, "DECLINED")])
def test_what_was_not_paid_gives_no_points(declined):
    assert run(loyalty, [declined]).sent == []


@pytest.mark.parametrize(("amount", "points"), [(0.99, 0), (1.0, 1), (350.75, 350)])
def test_each_whole_unit_is_a_point(amount, points):
    (sent,) = run(loyalty, [payment(amount)]).sent

    assert (sent.topic, sent.key) == ("loyalty-points", b"7")
    assert sent.message.points == points
