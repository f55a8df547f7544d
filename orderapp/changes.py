"""Which rules are in force, and were before."""

import logging
from collections.abc import Callable, Mapping

from aiokafka import ConsumerRecord

from orderapp.change_log import ChangeLog, next_version
from orderapp.engine.observe.texts import printable
from orderapp.judging import Rules
from orderapp.models import FAULT, RuleChange, rule_key
from orderapp.rule import Rule, in_words

logger = logging.getLogger(__name__)


class Changes(ChangeLog[Rule, RuleChange]):
    """Keeps `rules` as the log says."""

    def __init__(self, rules: Rules, decode: Callable[[ConsumerRecord], RuleChange]) -> None:
        super().__init__(decode)
        self._rules = rules

    @property
    def all(self) -> Mapping[str, Rule]:
        """Those that are in force."""
        return self._rules.all

    @property
    def declared(self) -> Mapping[str, Rule]:
        """As their files have them."""
        return self._rules.declared

    def concerns(self, key: bytes) -> bool:
        """Whatever is not about something else."""
        return not key.startswith(FAULT.encode())

    def key(self, change: RuleChange) -> bytes:
        """`rule:` and the rule's id"""
        return rule_key(change)

    def changed(self, all_before: Mapping[str, Rule], change: RuleChange) -> Rule:
        """A rule as a change makes it."""
        rule = all_before.get(change.rule)
        if rule is None:
            raise ValueError(f"there is no rule {change.rule!r}")
        next_version(rule, change.version)
        said = change.changed_at, change.author
        return rule.changed(change.state, change.version, change.parameters, *said)

    def is_same(self, before: Rule, after: Rule) -> bool:
        """Whether it finds the same, and what it finds is as much."""
        return (after.state, after.values) == (before.state, before.values)

    def put(self, in_force: Mapping[str, Rule]) -> None:
        """Judge by these."""
        self._rules.put(in_force)

    def tell(self, changed: Rule, before: Rule | None) -> None:
        """A line in the log."""
        logger.info("the rule %s is now %s", changed.id, printable(in_words(changed)))
