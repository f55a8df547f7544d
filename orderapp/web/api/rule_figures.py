"""What this worker has counted of the rules."""

from collections.abc import Sequence

import msgspec

from orderapp import metrics
from orderapp.app import settings
from orderapp.judging import rules
from orderapp.models import RuleState

#: Versions of a rule that are told.
MOST = 20


class RuleFigures(msgspec.Struct, frozen=True):
    """What this worker has counted of a rule since it has this version and state: orders that
    it was asked about, that it `raised` (an alert, or in the shadow what would be one) and that
    it could not judge, and the seconds that it took. What is delivered again counts again."""

    rule: str
    version: int
    state: RuleState
    orders: int
    raised: int
    failed: int
    seconds: float


def rule_figures() -> list[RuleFigures] | None:
    """Of those that are in force and not off, by their ids; None where fraud does not run."""
    if "fraud" not in settings.services:
        return None
    counted = metrics.of_rules()
    found = []
    for rule in rules.all.values():
        key = rule.id, str(rule.version), rule.state
        if key in counted:
            found.append(_figures(key, counted[key]))
    return found


def all_rule_figures() -> dict[str, list[RuleFigures]] | None:
    """By rule what was counted of each version, the newest first; None where fraud does not
    run."""
    if "fraud" not in settings.services:
        return None
    found: dict[str, list[RuleFigures]] = {}
    for key, numbers in metrics.of_rules().items():
        found.setdefault(key[0], []).append(_figures(key, numbers))
    for figures in found.values():
        figures.sort(key=lambda one: -one.version)
        del figures[MOST:]
    return found


def _figures(key: Sequence[str], numbers: Sequence[float]) -> RuleFigures:
    rule, version, state = key
    orders, raised, failed = map(int, numbers[:3])
    return RuleFigures(
        rule,
        int(version),
        state,  # type: ignore[arg-type]
        orders,
        raised,
        failed,
        round(numbers[3], 6),
    )
