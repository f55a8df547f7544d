"""A rule: a function of an order and of parameters, and what is known of it."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, get_args

import msgspec

from orderapp.engine.observe.texts import one_line
from orderapp.engine.services import where
from orderapp.models import RuleState
from orderapp.plugins import PluginError
from orderapp.window import Seconds, Window

STATES: tuple[str, ...] = get_args(RuleState)

#: Yes, no, or yes with a detail for people: "4 orders in 60 s".
Verdict = bool | str | None
#: Takes an order, the customer's window if it asks for one, and each parameter by its name.
RuleFunction = Callable[..., Verdict]


@dataclass(frozen=True)
class Parameter:
    """What can be set of a rule."""

    #: With its bounds, as msgspec has them: `Annotated[float, Meta(ge=0)]`.
    type: Any
    default: Any
    #: JSON Schema of the same, with the default.
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A rule, as its file declares it or as a change has made it."""

    #: The reason of its alerts.
    id: str
    text: str
    state: RuleState
    #: Counts its changes, from 1: as declared.
    version: int
    function: RuleFunction
    parameters: Mapping[str, Parameter]
    #: Where it is declared, for errors.
    place: str
    #: Whether it is a function of an order and the customer's window.
    has_window: bool = False
    #: Values of parameters that take the place of their defaults.
    values: Mapping[str, Any] = field(default_factory=dict)
    #: When it was changed last, and by whom; empty: never.
    changed_at: str = ""
    author: str = ""

    @classmethod
    def of(cls, function: RuleFunction, state: RuleState) -> "Rule":
        """The rule that a function is; raises `PluginError` when it is none."""
        place, name = where(function), getattr(function, "__name__", "")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
            raise PluginError(
                f"{place} is not allowed as the name of a rule: "
                "small letters, digits and _, a letter first, 50 at most"
            )
        if state not in STATES:
            raise PluginError(f"{place}: the state {state!r} is not one of {', '.join(STATES)}")
        text = (inspect.getdoc(function) or "").partition("\n")[0]
        if not text:
            raise PluginError(f"{place} has no docstring: say in a line what the rule finds")
        parameters, has_window = _parameters(function, place)
        return cls(name.upper(), text, state, 1, function, parameters, place, has_window)

    def read(self, name: str, text: str) -> Any:
        """The value of a parameter as people write it: `3`, or `NG,RU` for a list.

        Raises ValueError, which names the parameter, for what is unknown or out of bounds."""
        parameter = self._parameter(name)
        value: Any = text
        if parameter.schema.get("type") == "array":
            value = [part.strip() for part in text.split(",") if part.strip()]
        try:
            return msgspec.convert(value, parameter.type, strict=False)
        except msgspec.ValidationError as error:
            raise _refused(f"{self.id}: {name}", text, error) from error

    def read_all(self, settings: Sequence[str]) -> dict[str, Any]:
        """The values of `NAME=VALUE`, as `--set` takes them; ValueError."""
        values: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise ValueError(f"{setting!r} sets nothing: give NAME=VALUE")
            if name in values:
                raise ValueError(f"{name} is set twice")
            values[name] = self.read(name, text)
        return values

    def seconds(self, **values: Any) -> int:
        """How long its window is; 0 of a rule without one."""
        if not self.has_window:
            return 0
        default = self.parameters[_SECONDS].default
        return int({_SECONDS: default, **self.values, **values}[_SECONDS])

    def bound(self, **values: Any) -> Callable[..., Verdict]:
        """The function of an order (and a window), with these values instead of those in force.

        Raises ValueError, which names the parameter, for what is unknown or out of bounds."""
        set_to = {**self.values, **self._checked(values)}
        # The function itself costs an order nothing; a `partial` some 50 ns.
        return partial(self.function, **set_to) if set_to else self.function

    def changed(
        self,
        state: RuleState,
        version: int,
        values: Mapping[str, Any],
        changed_at: str = "",
        author: str = "",
    ) -> "Rule":
        """The same in another version, with these values instead of the defaults.

        Raises ValueError as `bound` does."""
        checked = self._checked(values)
        others = {n: v for n, v in checked.items() if v != self.parameters[n].default}
        return replace(
            self,
            state=state,
            version=version,
            values=others,
            changed_at=changed_at,
            author=author,
        )

    def written(self, values: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """All parameters as JSON has them, sets sorted: these values, else those in force."""
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        found = {**defaults, **self.values, **values}
        return {n: msgspec.to_builtins(value, order="sorted") for n, value in found.items()}

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: _checked(f"{self.id}: {name}", self._parameter(name).type, value)
            for name, value in values.items()
        }

    def _parameter(self, name: str) -> Parameter:
        if name not in self.parameters:
            allowed = ", ".join(self.parameters) or "none"
            raise ValueError(f"{self.id} has no parameter {name}; it has {allowed}")
        return self.parameters[name]


def in_words(rule: Rule) -> str:
    """`active, version 2, limit=300.0 safe_countries=CA,US`."""
    return f"{rule.state}, version {rule.version}, {settings(rule.written())}".rstrip(", ")


def settings(parameters: Mapping[str, Any]) -> str:
    """Parameters (`Rule.written`) as `--set` takes them."""
    return " ".join(
        f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in parameters.items()
    )


_WANTED = "is not `def rule(order: Order, limit: float = 1.0) -> bool`"
#: The parameter that a rule with a window has.
_SECONDS = "seconds"


def _parameters(function: RuleFunction, place: str) -> tuple[dict[str, Parameter], bool]:
    """What can be set of it, and whether it asks for a window."""
    try:
        found = [*inspect.signature(function, eval_str=True).parameters.values()]
    except Exception as error:  # an annotation may be any expression
        raise PluginError(f"{place} {_WANTED}: {one_line(error)}") from error
    if not found or not _takes_order(found[0]) or _is_lazy(function):
        raise PluginError(f"{place} {_WANTED}")
    has_window = len(found) > 1 and found[1].annotation is Window and _takes_order(found[1])
    parameters = {}
    for one in found[2 if has_window else 1 :]:
        lacks = "no type" if one.annotation is one.empty else "no default"
        if one.kind not in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD):
            lacks = "no name to give it by"
        elif one.annotation is not one.empty and one.default is not one.empty:
            name = f"{place}: {one.name}"
            parameters[one.name] = _parameter(name, one.annotation, one.default)
            continue
        raise PluginError(f"{place} {_WANTED}: {one.name} has {lacks}")
    if has_window and getattr(parameters.get(_SECONDS), "type", None) != Seconds:
        raise PluginError(f"{place} takes a window: give it `{_SECONDS}: Seconds = 60` too")
    return parameters, has_window


def _takes_order(first: inspect.Parameter) -> bool:
    places = (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
    return first.kind in places and first.default is first.empty


def _is_lazy(function: RuleFunction) -> bool:
    """Whether a call does nothing by itself."""
    kinds = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    return any(is_kind(function) for is_kind in kinds)


def _parameter(place: str, kind: Any, default: Any) -> Parameter:
    try:
        schema = msgspec.json.schema(kind)
    except TypeError as error:
        text = "has a type that JSON can't hold: give it numbers, texts, lists or sets"
        raise PluginError(f"{place} {text}") from error
    try:
        checked = _checked(place, kind, default)
    except ValueError as error:
        raise PluginError(str(error)) from error
    written = msgspec.to_builtins(checked, order="sorted")
    return Parameter(kind, checked, {**schema, "default": written})


def _checked(name: str, kind: Any, value: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refused(name, value, error) from error


def _refused(name: str, value: Any, error: Exception) -> ValueError:
    return ValueError(f"{name}={value!r} is not allowed: {one_line(error)}")
