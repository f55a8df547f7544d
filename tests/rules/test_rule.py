"""What is a rule, and what is none: one line that names the place."""

from typing import Annotated, Any

import pytest
from msgspec import Meta

from orderapp.models import Amount, Country, Order
from orderapp.plugins import PluginError
from orderapp.rule import Rule
from orderapp.rules import Seconds, Window

ORDER = Order(order_id=7, customer_id=1234, amount=350, country="DE", created_at="t")


def large(order: Order, limit: Amount = 400, *, safe: frozenset[Country] = frozenset()) -> bool:
    """A large order.

    More is for who reads the file."""
    return order.amount > limit and order.country not in safe


def test_a_rule_is_what_its_function_says():
    rule = Rule.of(large, "shadow")

    assert (rule.id, rule.text, rule.state) == ("LARGE", "A large order.", "shadow")
    assert {n: p.default for n, p in rule.parameters.items()} == {
        "limit": 400.0,
        "safe": frozenset(),
    }


def test_without_values_it_is_the_function_itself():
    # A wrapper would cost every order as much again as the rule.
    assert Rule.of(large, "active").bound() is large


def test_values_take_the_place_of_defaults():
    rule = Rule.of(large, "active")

    assert [rule.bound(limit=limit)(ORDER) for limit in (349, 350)] == [True, False]
    assert rule.bound(limit=300, safe=["DE"])(ORDER) is False


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"limits": 1}, "LARGE has no parameter limits; it has limit, safe"),
        ({"limit": -1}, "LARGE: limit=-1 is not allowed: Expected `float` >= 0.0"),
        ({"limit": "1"}, "LARGE: limit='1' is not allowed: Expected `float`, got `str`"),
        ({"safe": "DE"}, "LARGE: safe='DE' is not allowed: Expected `array`, got `str`"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(values, said):
    with pytest.raises(ValueError, match=r"^LARGE") as error:
        Rule.of(large, "active").bound(**values)

    assert str(error.value) == said


def no_order() -> bool:
    """A."""


def two_needed(order: Order, limit: float) -> bool:
    """A."""


def untyped(order: Order, limit=1.0) -> bool:
    """A."""


def many(order: Order, *limits: float) -> bool:
    """A."""


def unnamed(order: Order, limit: float = 1.0, /) -> bool:
    """A."""


def named(*, order: Order) -> bool:
    """A."""


def unknown(order: Order, limit: "Nowhere" = 1.0) -> bool:  # noqa: F821
    """A."""


def out_of_bounds(order: Order, limit: Annotated[float, Meta(ge=1)] = 0.5) -> bool:
    """A."""


def of_another_type(order: Order, limit: float = "1") -> bool:
    """A."""


def no_json(order: Order, limit: Order = ORDER) -> bool:
    """A."""


async def waits(order: Order) -> bool:
    """A."""


def several(order: Order):
    """A."""
    yield True


def silent(order: Order) -> bool:
    return False


def Loud(order: Order) -> bool:  # noqa: N802
    """A."""


def no_seconds(order: Order, window: Window, limit: float = 1) -> bool:
    """A."""


def endless(order: Order, window: Window, seconds: Annotated[int, Meta(ge=1)] = 60) -> bool:
    """A."""


def too_long(order: Order, window: Window, seconds: Seconds = 3601) -> bool:
    """A."""


def window_last(order: Order, seconds: Seconds = 60, window: Window = ()) -> bool:
    """A."""


WANTED = "is not `def rule(order: Order, limit: float = 1.0) -> bool`"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_order, WANTED),
        (two_needed, f"{WANTED}: limit has no default"),
        (untyped, f"{WANTED}: limit has no type"),
        (many, f"{WANTED}: limits has no name to give it by"),
        (unnamed, f"{WANTED}: limit has no name to give it by"),
        (named, WANTED),
        (unknown, f"{WANTED}: name 'Nowhere' is not defined"),
        (waits, WANTED),
        (several, WANTED),
        (out_of_bounds, ": limit=0.5 is not allowed: Expected `float` >= 1.0"),
        (of_another_type, ": limit='1' is not allowed: Expected `float`, got `str`"),
        (no_json, ": limit has a type that JSON can't hold: give it numbers"),
        (silent, "has no docstring: say in a line what the rule finds"),
        (Loud, "is not allowed as the name of a rule"),
        (7, "is not allowed as the name of a rule"),
        (no_seconds, "takes a window: give it `seconds: Seconds = 60` too"),
        (endless, "takes a window: give it `seconds: Seconds = 60` too"),
        (too_long, ": seconds=3601 is not allowed: Expected `int` <= 3600"),
        (window_last, ": window has a type that JSON can't hold"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_no_rule_is_refused_in_a_line(function: Any, said: str):
    with pytest.raises(PluginError) as error:
        Rule.of(function, "active")

    text = str(error.value)
    assert said in text
    assert "\n" not in text
    assert text.startswith(("rules/test_rule.py:", "7"))


def test_a_state_is_one_of_three():
    with pytest.raises(PluginError, match=r"large: the state 'on' is not one of off, shadow"):
        Rule.of(large, "on")
