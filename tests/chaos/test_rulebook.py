"""What rules had to find follows from two logs."""

import json

import pytest

from tests.chaos.archive import Place
from tests.chaos.rulebook import LARGE, VELOCITY, Rulebook, Version, finds
from tests.records import record

TOPIC = "orders-by-customer"


def change(version, at, rule=VELOCITY, state="active", **parameters):
    value = {"rule": rule, "state": state, "version": version, "parameters": parameters}
    return record(json.dumps(value).encode(), b"rule:" + rule.encode(), timestamp=at)


def log(*rows):
    """Order id, customer and time in seconds."""
    return {
        Place(0, 2, offset): record(
            json.dumps({"order_id": order_id}).encode(), b"%d" % customer, timestamp=1000 * at
        )
        for offset, (order_id, customer, at) in enumerate(rows)
    }


def numbers(rulebook, offset, at):
    place = Place(0, 2, offset)
    return [version.number for version in rulebook.possible(VELOCITY, TOPIC, place, at)]


def test_a_change_that_was_sent_twice_counts_once():
    rulebook = Rulebook()
    rulebook.read([change(2, 100, limit=2), change(2, 101, limit=3), change(3, 200)], {})

    assert rulebook.versions[VELOCITY][1:] == [
        Version(2, "active", {"limit": 2}, 100),
        Version(3, "active", {}, 200),
    ]
    assert [version.number for version in rulebook.versions[LARGE]] == [1]


def test_an_order_may_be_judged_by_the_versions_from_its_time_until_it_is_done():
    rulebook = Rulebook(slack=5)
    done = {(VELOCITY, 3): {(TOPIC, 0, 2): 7}}
    rulebook.read([change(2, 100), change(3, 200)], done)

    assert numbers(rulebook, 9, 50) == [1, 2, 3]
    assert numbers(rulebook, 9, 105) == [1, 2, 3]
    assert numbers(rulebook, 9, 106) == [2, 3]
    assert numbers(rulebook, 9, 206) == [3]
    assert numbers(rulebook, 6, 50) == [1, 2]  # done before the version 3


def test_windows_count_the_different_orders_of_a_customer():
    rulebook = Rulebook()
    rulebook.read([change(2, 0, limit=2, seconds=10), change(3, 0, limit=1, seconds=3)], {})
    rulebook.watch(log((1, 7, 100), (2, 7, 101), (3, 8, 101), (3, 7, 109), (3, 7, 109),
                       (4, 7, 110), (5, 7, 100)))  # fmt: skip

    found = {
        order_id: [one.found for one in judged] for order_id, judged in rulebook.judged.items()
    }
    assert found == {
        1: [{}],
        2: [{3: "2 orders in 3 s"}],
        3: [{}, {2: "3 orders in 10 s"}, {}],  # by two customers; once more
        4: [{2: "3 orders in 10 s", 3: "2 orders in 3 s"}],
        5: [{}],  # too late for its own window
    }


@pytest.mark.parametrize(("limit", "found"), [(300, True), (350, False)])
def test_the_limit_is_that_of_the_version(limit, found):
    order = {"amount": 350.0, "country": "DE"}

    assert finds(Version(2, "active", {"limit": limit}), order) is found
    assert not finds(Version(2, "off", {"limit": limit}), order)
