"""Which rules are in force follows from the log of changes alone, record by record.

Everybody who reads it refuses the same records, and so judges by the same versions: a record
that is no change, or whose version is not the one after the last that was taken.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from aiokafka import ConsumerRecord

from orderapp.engine.batches.records import about
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.texts import printable, text_or_class
from orderapp.judging import Rules
from orderapp.models import RuleChange, rule_key
from orderapp.rule import Rule, in_words

logger = logging.getLogger(__name__)
_few = Few(logger, logging.ERROR, "changes of rules that are refused", most=20)

#: What is changed besides rules has keys that begin so.
OTHERS = b"fault:"


def changed(rules: Mapping[str, Rule], change: RuleChange) -> Rule:
    """A rule as a change makes it; ValueError says why it is refused."""
    rule = rules.get(change.rule)
    if rule is None:
        raise ValueError(f"there is no rule {change.rule!r}")
    if change.version != rule.version + 1:
        raise ValueError(
            f"{rule.id} has version {rule.version}, and the next one is not {change.version}"
        )
    return rule.changed(change.state, change.version, change.parameters)


class Changes:
    """Keeps `rules` as the log says; `decode` makes a change of a record, or raises."""

    def __init__(self, rules: Rules, decode: Callable[[ConsumerRecord], RuleChange]) -> None:
        self._rules = rules
        self._decode = decode
        #: Those that were taken, in their order.
        self.taken: list[RuleChange] = []
        #: For each of them its record's timestamp (ms), and all rules as they were before it.
        self.before: list[tuple[int, Mapping[str, Rule]]] = []

    def take(self, records: Sequence[ConsumerRecord], anew: bool) -> None:
        """Judge by what follows from these records; `anew`: from these alone."""
        before = self._rules.all
        in_force = dict(self._rules.declared if anew else before)
        if anew:
            self.taken.clear()
            self.before.clear()
        for record in records:
            if (record.key or b"").startswith(OTHERS):
                continue
            try:
                change = self._change(record)
                rule = changed(in_force, change)
            except Exception as error:  # whatever is in the record: the last good one holds
                _refuse(record, error)
            else:
                self.taken.append(change)
                self.before.append((record.timestamp, dict(in_force)))
                in_force[change.rule] = rule
        if in_force != before:
            self._rules.put(in_force)
            for rule in self._rules.all.values():
                if rule != before.get(rule.id):
                    logger.info("the rule %s is now %s", rule.id, printable(in_words(rule)))

    def _change(self, record: ConsumerRecord) -> RuleChange:
        change = self._decode(record)
        if record.key != rule_key(change):
            raise ValueError(f"its key is {record.key!r}, and not 'rule:{change.rule}'")
        return change


def _refuse(record: ConsumerRecord, error: Exception) -> None:
    if _few.room():
        line = "%s[%d]@%d is refused: %s; what was in force before still is"
        place = (record.topic, record.partition, record.offset)
        text = text_or_class(error)
        logger.error(line, *place, text, extra=about(record, error=type(error).__name__))
