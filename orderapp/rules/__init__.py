"""By what orders are judged, a file for each rule.

    @rule("active")
    def large_order(order: Order, limit: Amount = 400) -> bool:
        \"\"\"An order above the limit.\"\"\"
        return order.amount > limit

A file here is a rule, and so is a module that another package declares as an entry point of
the group `orderapp.rules`. A rule is a pure function; its id, which its alerts have as their
reason, is the function's name in capitals. It returns whether it finds the order, or a detail
for people. Parameters have a type with bounds, and a default. With a second argument
`window: Window`, and a parameter `seconds: Seconds = 60`, it gets the customer's latest orders.
"""

import sys
from collections.abc import Callable
from typing import TypeVar

from orderapp.judging import rules
from orderapp.models import RuleState
from orderapp.plugins import PluginError, Plugins
from orderapp.rule import Rule, RuleFunction
from orderapp.window import Seconds, Window

__all__ = ["Seconds", "Window", "load_all", "rule", "rules"]

F = TypeVar("F", bound=RuleFunction)

_plugins = Plugins("rule", __name__)


def rule(state: RuleState) -> Callable[[F], F]:
    """Make a rule of a function; it is in this state until somebody changes that."""

    def declare(function: F) -> F:
        rules.add(Rule.of(function, state))
        return function

    return declare


def load_all() -> None:
    """Import all rules; raise `PluginError` for what is none."""
    for found in _plugins.find(__path__):
        _plugins.load(found.module)
        spec = sys.modules[found.module].__spec__
        # A module that is just being imported, and has asked for this, declares its rule later.
        if getattr(spec, "_initializing", False):
            continue
        if all(rule.function.__module__ != found.module for rule in rules.all.values()):
            raise PluginError(f"{found.place} declares no rule: put @rule(…) on its function")
