"""Rules as the API answers them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from orderapp.engine.observe.times import Time
from orderapp.models import RuleChange, RuleState
from orderapp.rule import Rule
from orderapp.web.api.rule_figures import RuleFigures


class RuleInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as fraud judges by it."""

    id: str
    #: What it finds.
    text: str
    state: RuleState
    #: 1: as its file declares it.
    version: int
    parameters: dict[str, Any]
    #: For each parameter a JSON Schema: its type, bounds and default, and a description if its
    #: file has one.
    schemas: dict[str, dict[str, Any]]
    #: When it was changed last, and by whom; null and empty: never.
    changed_at: Time | None
    author: str
    #: What this worker has counted of it since its start, the newest 20 versions first; null
    #: in a worker without fraud.
    counted: Sequence[RuleFigures] | None


class RuleChanged(msgspec.Struct, frozen=True):
    """A change of a rule."""

    id: str
    state: RuleState
    version: int
    parameters: dict[str, Any]
    changed_at: Time
    author: str


class RuleList(msgspec.Struct, frozen=True):
    """All rules by id, and the last 50 changes, the latest first."""

    rules: Sequence[RuleInForce]
    changes: Sequence[RuleChanged]
    status: Literal["ok"] = "ok"


class OneRule(msgspec.Struct, frozen=True):
    """One rule."""

    rule: RuleInForce
    status: Literal["ok"] = "ok"


def in_force(rule: Rule, counted: Mapping[str, Sequence[RuleFigures]] | None) -> RuleInForce:
    """A rule as it is now; `counted` are figures by rule."""
    return RuleInForce(
        id=rule.id,
        text=rule.text,
        state=rule.state,
        version=rule.version,
        parameters=rule.written(),
        schemas={name: dict(one.schema) for name, one in rule.parameters.items()},
        changed_at=rule.changed_at or None,
        author=rule.author,
        counted=None if counted is None else counted.get(rule.id, []),
    )


def changed(change: RuleChange) -> RuleChanged:
    """A change as it was made."""
    said = change.parameters, change.changed_at, change.author
    return RuleChanged(change.rule, change.state, change.version, *said)
