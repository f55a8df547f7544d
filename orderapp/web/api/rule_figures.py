"""What this worker has counted of the rules that are in force."""

from orderapp import metrics
from orderapp.app import settings
from orderapp.judging import rules
from orderapp.web.api.stats_answer import RuleFigures


def rule_figures() -> list[RuleFigures] | None:
    """Those that are not off, by their ids; None where fraud does not run."""
    if "fraud" not in settings.services:
        return None
    counted = metrics.of_rules()
    found = []
    for rule in rules.all.values():
        numbers = counted.get((rule.id, str(rule.version), rule.state))
        if numbers is not None:
            orders, raised, failed = map(int, numbers[:3])
            figures = orders, raised, failed, round(numbers[3], 6)
            found.append(RuleFigures(rule.id, rule.version, rule.state, *figures))
    return found
