"""What rules with a window have to find, computed anew from the log of orders by customer."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from aiokafka import ConsumerRecord

from orderapp import topics
from orderapp.app import app
from orderapp.judging import Asked, hits_with_windows
from orderapp.reconcile import case, facts
from orderapp.reconcile.case import Fact
from orderapp.rule import Rule
from orderapp.window import Windows

TOPIC = topics.orders_by_customer.name

#: Rules that were in force together, by id, and until when (ms) orders may be judged by them.
InForce = tuple[float, Mapping[str, Rule]]


class ByWindows:
    """Judges the log of orders by customer by all versions of rules that were active."""

    def __init__(self, in_force: Sequence[InForce]) -> None:
        self._in_force = [(until, _active(rules)) for until, rules in in_force]
        versions = {(r.id, r.version): r for _, rules in self._in_force for r in rules.values()}
        self._asked = [Asked(rule) for rule in versions.values()]
        self._seconds = max((one.seconds for one in self._asked), default=0)
        self._windows: defaultdict[int, Windows] = defaultdict(lambda: Windows(self._seconds))
        #: Windows of orders before this (ms) are not known: records of theirs are deleted.
        self.known_from = 0.0

    def __bool__(self) -> bool:
        """Whether there is anything to judge."""
        return bool(self._asked)

    def begins_late(self, timestamp_ms: float) -> None:
        """Hear of the time of the oldest record that is left of a partition."""
        self.known_from = max(self.known_from, timestamp_ms + self._seconds * 1000)

    def facts_of(self, records: Sequence[ConsumerRecord]) -> list[Fact]:
        """A fact for each order that a version finds by which it may have been judged."""
        batch, _ = app.decoder(TOPIC).batch([*records])
        if not len(batch):
            return []
        times = [record.timestamp for record in batch.records]
        windows = self._windows[batch.partition]
        found: defaultdict[int, set[facts.Version]] = defaultdict(set)
        for at, rule, _ in hits_with_windows(self._asked, batch.values, times, windows):
            found[at].add((rule.id, rule.version))
        made = []
        for at, versions in found.items():
            reasons = self._reasons(versions, times[at])
            if reasons and times[at] >= self.known_from:
                order, record = batch.values[at], batch.records[at]
                place = (record.partition, record.offset, case.FRAUD)
                fact = Fact(order.order_id, case.WINDOW, *place, reasons=reasons)
                made.append(fact._replace(content=facts.content_of(order)))
        return made

    def _reasons(self, versions: set[facts.Version], time: int) -> str:
        """The rules that find an order of this time, as in `Fact.reasons`."""
        found = [
            versions & {(name, rule.version) for name, rule in rules.items()}
            for until, rules in self._in_force
            if time <= until
        ]
        sure = set.intersection(*({name for name, _ in some} for some in found))
        return facts.reasons(set().union(*found), sure)


def _active(rules: Mapping[str, Rule]) -> Mapping[str, Rule]:
    return {
        name: rule for name, rule in rules.items() if rule.has_window and rule.state == "active"
    }
