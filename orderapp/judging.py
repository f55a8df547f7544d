"""Orders are judged by the rules that are not off."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, compress
from operator import itemgetter
from typing import Any

from orderapp import metrics
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.texts import printable, text_or_class
from orderapp.models import Order
from orderapp.plugins import PluginError
from orderapp.rule import Rule, Verdict
from orderapp.window import Windows

logger = logging.getLogger(__name__)
_few = Few(logger, logging.ERROR, "orders that a rule could not judge")

#: Characters of a detail, as alerts may have them.
LONGEST = 200

#: The index of an order, the rule that has found it, and a detail for people.
Hit = tuple[int, Rule, str]


class Rules:
    """All rules, by id."""

    def __init__(self) -> None:
        #: As their files have them, and as they are in force.
        self.declared: dict[str, Rule] = {}
        self.all: dict[str, Rule] = {}
        # What is asked of each order, and no more than that.
        self._active: tuple[Asked, ...] = ()
        self._shadow: tuple[Asked, ...] = ()
        #: Those of both that ask for a window.
        self.with_window: tuple[Asked, ...] = ()
        #: Whether an order may get an alert after `judge`.
        self.are_later = False

    def add(self, rule: Rule) -> None:
        """Take a rule; raise `PluginError` if there is one of its id."""
        if rule.id in self.declared:
            places = f"{self.declared[rule.id].place}, and {rule.place}"
            raise PluginError(f"there are two rules {rule.id}: {places}; rename one")
        self.declared[rule.id] = rule
        self.put({**self.all, rule.id: rule})

    def named(self, rule_id: str) -> Rule:
        """The rule of this id; ValueError."""
        if rule_id not in self.all:
            there_are = ", ".join(self.all)
            raise ValueError(f"there is no rule {rule_id!r}; there are {there_are}")
        return self.all[rule_id]

    def put(self, in_force: Mapping[str, Rule]) -> None:
        """Judge by these from now on."""
        self.all = {rule_id: in_force[rule_id] for rule_id in sorted(in_force)}
        asked = [Asked(rule) for rule in self.all.values() if rule.state != "off"]
        self.with_window = tuple(one for one in asked if one.rule.has_window)
        self.are_later = any(one.rule.state == "active" for one in self.with_window)
        alone = [one for one in asked if not one.rule.has_window]
        self._active = tuple(one for one in alone if one.rule.state == "active")
        self._shadow = tuple(one for one in alone if one.rule.state == "shadow")

    def hits(self, orders: Sequence[Order]) -> list[Hit]:
        """What the active rules without a window find, in the sequence of the orders."""
        return _merged([one.hits(orders) for one in self._active])

    def judge(self, orders: Sequence[Order]) -> list[Hit]:
        """The same, counted; while an active rule has a window, `count_verdicts` follows."""
        hits = _merged([one.judge(orders) for one in self._active])
        if not self.are_later:
            several = len(self._active) > 1
            found = len({at for at, _, _ in hits}) if several else len(hits)
            metrics.judged(found, len(orders))
        return hits

    def count_verdicts(self, orders: Sequence[Order], hits: Sequence[Hit]) -> None:
        """Count the verdicts on orders, of which rules with a window have found these."""
        found = {at for at, rule, _ in hits if rule.state == "active"}
        # What the others have found was not kept; they are pure, and quick.
        for at, order in enumerate(orders):
            if at not in found and any(one.finds(order) for one in self._active):
                found.add(at)
        metrics.judged(len(found), len(orders))

    def shadow(self, orders: Sequence[Order]) -> list[Hit]:
        """What the rules without a window would find that are in the shadow, counted."""
        return _merged([one.judge(orders) for one in self._shadow]) if self._shadow else []


def hits_with_windows(
    asked: Sequence["Asked"], orders: Sequence[Order], times: Sequence[int], windows: Windows
) -> list[Hit]:
    """What rules that ask for a window find, counted. The orders are taken in by `windows`;
    `times` are their timestamps (ms)."""
    seen = windows.see(orders, times, [one.seconds for one in asked])
    found = []
    for one, own in zip(asked, seen, strict=True):
        if None not in own:
            found.append(one.judge(orders, own))
            continue
        # An order that is in the window already was judged when it came first.
        new = [at for at, window in enumerate(own) if window is not None]
        hits = one.judge([orders[at] for at in new], [own[at] for at in new])
        found.append([(new[at], rule, detail) for at, rule, detail in hits])
    return _merged(found)


def _merged(found: list[list[Hit]]) -> list[Hit]:
    return found[0] if len(found) == 1 else sorted(chain(*found), key=itemgetter(0))


class Asked:
    """A rule with its parameters, ready to be asked: about orders, and for a rule that asks for
    one about the window of each."""

    def __init__(self, rule: Rule, **values: Any) -> None:
        self.rule = rule
        self.seconds = rule.seconds(**values)
        self._check = rule.bound(**values)
        labels = rule.id, rule.version, rule.state
        self._asked = metrics.RULE_ORDERS.labels(*labels)
        self._found = metrics.RULE_HITS.labels(*labels)
        self._failures = metrics.RULE_FAILURES.labels(*labels)
        self._seconds = metrics.RULE_SECONDS.labels(*labels)
        #: Why it could not judge orders of those that it was asked about last, by their ids.
        self._unjudged: dict[int, str] = {}

    def judge(self, orders: Sequence[Order], *windows: Sequence[Any]) -> list[Hit]:
        """The same, counted."""
        self._unjudged = {}
        began = time.perf_counter()
        hits = self.hits(orders, *windows)
        self._seconds.inc(time.perf_counter() - began)
        self._asked.inc(len(orders))
        if hits:
            self._found.inc(len(hits))
        return hits

    def hits(self, orders: Sequence[Order], *windows: Sequence[Any]) -> list[Hit]:
        """What it finds, in the sequence of the orders."""
        try:
            # In C, a batch at a time: most orders are clear, and cost the rule's own call.
            verdicts = list(map(self._check, orders, *windows))
            is_good = _KINDS.issuperset(map(type, compress(verdicts, verdicts)))
        except Exception:
            is_good = False
        if not is_good:
            # A rule is pure, so it may be asked again: who made it fail is to be found.
            verdicts = list(map(self._verdict, orders, *windows))
        at = compress(range(len(verdicts)), verdicts)
        return [(index, self.rule, _detail(verdicts[index])) for index in at]

    def unjudged(self, orders: Sequence[Order]) -> list[Hit]:
        """Those of the orders that it could not judge when it was asked last; why, for a
        detail."""
        return [
            (at, self.rule, _detail(self._unjudged[order.order_id]))
            for at, order in enumerate(orders if self._unjudged else ())
            if order.order_id in self._unjudged
        ]

    def finds(self, order: Order) -> bool:
        """Whether it finds an order; without a word when it fails."""
        try:
            return bool(_right(self._check(order)))
        except Exception:  # whatever a rule raises was said and counted when it judged
            return False

    def _verdict(self, order: Order, *window: Any) -> Verdict:
        """The verdict of a rule that may fail: that costs its own verdict, and nothing else."""
        try:
            return _right(self._check(order, *window))
        except Exception as error:
            self.fail(order, error)
            return None

    def fail(self, order: Order, error: Exception) -> None:
        """Tell that an order has no verdict of this rule."""
        self._failures.inc()
        text = text_or_class(error)
        self._unjudged[order.order_id] = text
        if _few.room():
            line = "the rule %s could not judge order %d: %s"
            about = {"key": order.order_id, "service": "fraud", "error": type(error).__name__}
            logger.error(line, self.rule.id, order.order_id, text, extra=about)


def failing(in_force: Iterable[Rule], order: Order) -> dict[str, str]:
    """The active rules without a window that can't judge an order, by their ids, and why.
    Nothing is counted."""
    found = {}
    for rule in in_force:
        if rule.state == "active" and not rule.has_window:
            try:
                _right(rule.bound()(order))
            except Exception as error:  # whatever a rule raises
                found[rule.id] = text_or_class(error)
    return found


_KINDS = {bool, str, type(None)}


def _right(verdict: Verdict) -> Verdict:
    if type(verdict) not in _KINDS:
        raise TypeError(f"a {type(verdict).__name__} is no verdict")
    return verdict


def _detail(verdict: Verdict) -> str:
    return printable(verdict)[:LONGEST] if isinstance(verdict, str) else ""


#: Those that this process knows.
rules = Rules()
