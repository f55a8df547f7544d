"""Which index answers a query, and what of it is read: the real planner's rules, so far as the
store meets them.

An index serves a query that repeats its WHERE and restricts its first key. A key may be any
expression, and serves the query that has the same; the document's id is in every entry. An
index that is missing, deferred or still being built is none; then the planner silently takes
any other that serves, and reads every document that it leads to. Of a LIMIT the index hears
only when the conditions on its keys say exactly what is wanted, in the order of the index, and
when it is the only one: two that begin with different keys are read both, and intersected,
unless a hint names one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.couchbase_double.sql import COMPARISONS, ID, Expression, Select


@dataclass
class Index:
    """What was created, and how far it is."""

    name: str
    keys: list[tuple[Expression, bool]]
    where: Expression | None = None
    state: str = "online"
    replicas: int = 0
    #: Bucket, scope and collection; the bucket alone stands for its default one.
    keyspace: tuple[str, ...] = ()


@dataclass
class Scan:
    """What a query read."""

    index: str
    entries: int = 0
    documents: int = 0


@dataclass
class Plan:
    """An index and how it is used."""

    index: Index
    #: The conditions that decide which entries are read.
    spans: list[Expression] = field(default_factory=list)
    #: Whether these are all, so that entries are read only until the limit.
    is_exact: bool = False
    is_covering: bool = False


def plan(select: Select, indexes: Iterable[Index]) -> Plan | None:
    """The best index for this; None: none serves."""
    conditions = conjuncts(select.where)
    plans = [
        _use(select, conditions, index)
        for index in indexes
        if index.state == "online" and _serves(index, conditions)
    ]
    hinted = [p for p in plans if p.index.name in select.hints]
    best = max(
        hinted or plans,
        key=lambda p: (p.is_covering, len(p.spans), p.is_exact, p.index.name),
        default=None,
    )
    if best and not best.is_covering and not hinted:
        fixed = {best.index.keys[0][0], *(c[1] for c in conjuncts(best.index.where))}
        if any(p.index.keys[0][0] not in fixed for p in plans):
            best.is_exact = False
    return best


def conjuncts(expression: Expression | None) -> list[Expression]:
    """What an AND combines."""
    if expression is None:
        return []
    if expression[0] == "all":
        return [part for arm in expression[1] for part in conjuncts(arm)]
    return [expression]


def _serves(index: Index, conditions: list[Expression]) -> bool:
    first = index.keys[0][0]
    return all(c in conditions for c in conjuncts(index.where)) and any(
        _restricts(c, first) for c in conditions
    )


def _restricts(condition: Expression, key: Expression) -> bool:
    if condition[0] == "any":
        return all(any(_restricts(c, key) for c in conjuncts(a)) for a in condition[1])
    return _is_simple(condition) and condition[1] == key


def _is_simple(condition: Expression) -> bool:
    return condition[0] in (*COMPARISONS, "in", "between", "is")


def _use(select: Select, conditions: list[Expression], index: Index) -> Plan:
    keys = [key for key, _ in index.keys]
    own = conjuncts(index.where)
    left = [c for c in conditions if c not in own]
    simple = [c for c in left if _is_simple(c) and c[1] in keys]
    either = [c for c in left if c[0] == "any" and _is_on(c, keys)]
    # Alternatives are ranges of their own beside equal keys in front of them, and no range.
    ranges = [c for c in simple if c[0] != "="]
    is_exact = len(simple) + len(either) == len(left) and (
        not either or (len(either) == 1 and not ranges)
    )
    spans = simple + (either if is_exact else [])
    known = [ID, *keys, *(c[1] for c in own)]
    return Plan(
        index, spans, is_exact and _is_sorted(select, index, simple), _covers(known, select)
    )


def _is_on(either: Expression, keys: list[Expression]) -> bool:
    return all(_is_simple(c) and c[1] in keys for arm in either[1] for c in conjuncts(arm))


def _is_sorted(select: Select, index: Index, simple: list[Expression]) -> bool:
    """Whether the index has the rows in the order that is asked for."""
    if select.groups or any(e[0] == "call" for _, e in select.items):
        return False
    equal = [c[1] for c in simple if c[0] == "="]
    keys = [key for key in index.keys if key[0] not in equal]
    return select.order == keys[: len(select.order)]


def _covers(known: list[Expression], select: Select) -> bool:
    """Whether all that the query speaks of is known from these expressions."""
    everything: list[Any] = [e for _, e in select.items]
    everything += [select.where, *select.groups, *(e for e, _ in select.order)]
    while everything:
        part = everything.pop()
        if part in known:
            continue
        if isinstance(part, tuple) and len(part) == 2 and part[0] == "path":
            return False
        if isinstance(part, tuple | list):
            everything += part
    return True
