"""In which groups a service may be found."""

import pytest

from orderapp.readers import groups
from orderapp.settings import CONSUMERS, Settings


def test_a_service_may_run_alone_or_beside_others():
    assert groups("fraud", Settings()) == {
        "orderapp",
        "fraud-group",
        "fraud-payment-group",
        "analytics-fraud-group",
    }


@pytest.mark.parametrize(
    ("services", "found"),
    [
        (["fraud", "payment", "analytics", "web"], {"fraud", "payment", "analytics"}),
        (["fraud", "web"], {"fraud"}),
        # The web alone shows a group that others are in.
        (["web"], {"fraud", "payment", "analytics"}),
    ],
)
def test_a_group_of_ones_own_is_looked_at_for_the_services_that_it_may_run(services, found):
    settings = Settings(services=frozenset(services), own_group="ours")

    assert found == {name for name in CONSUMERS if "ours" in groups(name, settings)}
