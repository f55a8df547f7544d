"""What an expression of SQL++ is worth, with its missing values and its order of types."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from tests.couchbase_double.collation import is_known, is_number, rank
from tests.couchbase_double.sql import COMPARISONS, Expression

#: What a field of a row is, UNSET where it is missing.
Row = Callable[[str], Any]
Function = Callable[[Row], Any]

AGGREGATES = ("COUNT", "SUM", "MIN", "MAX")


class NoParameterError(Exception):
    """A named parameter has no value."""


def compiled(expression: Expression, parameters: Mapping[str, Any]) -> Function:
    """A function of a row that gives the value."""
    kind = expression[0]
    if kind == "path":
        name = expression[1]
        return lambda row: row(name)
    if kind == "value":
        value = expression[1]
        return lambda row: value
    if kind == "parameter":
        if expression[1] not in parameters:
            raise NoParameterError(expression[1])
        parameter = parameters[expression[1]]
        return lambda row: parameter
    if kind in COMPARISONS:
        return _compared(kind, *(compiled(e, parameters) for e in expression[1:]))
    if kind == "is":
        return _is(compiled(expression[1], parameters), *expression[2:])
    if kind == "call":
        return _call(expression[1], compiled(expression[2], parameters))
    return _combined(kind, expression, parameters)


def _combined(kind: str, expression: Expression, parameters: Mapping[str, Any]) -> Function:
    if kind == "in":
        left = compiled(expression[1], parameters)
        if isinstance(expression[2], tuple):
            found = compiled(expression[2], parameters)
            return lambda row: left(row) in found(row)
        arms = [_compared("=", left, compiled(e, parameters)) for e in expression[2]]
        return lambda row: any(arm(row) is True for arm in arms)
    if kind == "between":
        value, low, high = (compiled(e, parameters) for e in expression[1:])
        above, below = _compared(">=", value, low), _compared("<=", value, high)
        return lambda row: above(row) is True and below(row) is True
    if kind in _OF_TWO:
        a, b = (compiled(e, parameters) for e in expression[1:])
        return lambda row: _OF_TWO[kind](a(row), b(row))
    if kind == "case":
        return _case(expression)
    parts = [compiled(e, parameters) for e in expression[1]]
    # Nobody asks what an AND or OR is that is not true.
    if kind == "all":
        return lambda row: all(part(row) is True for part in parts)
    return lambda row: any(part(row) is True for part in parts)


def _compared(operator: str, left: Function, right: Function) -> Function:
    def compare(row: Row) -> Any:
        a, b = left(row), right(row)
        if not (is_known(a) and is_known(b)):
            return None
        if type(a) is not type(b) or not isinstance(a, str | int):
            a, b = rank(a), rank(b)
        return _OPERATORS[operator](a, b)

    return compare


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _is(value: Function, what: str, negated: bool) -> Function:
    wanted = {"MISSING": msgspec.UNSET, "NULL": None}[what]
    return lambda row: (value(row) is wanted) is not negated


def _quotient(above: Any, below: Any) -> Any:
    return above / below if is_number(above) and is_number(below) and below else None


def _joined(a: Any, b: Any) -> Any:
    if msgspec.UNSET in (a, b):
        return msgspec.UNSET
    return a + b if isinstance(a, str) and isinstance(b, str) else None


_OF_TWO: dict[str, Callable[[Any, Any], Any]] = {"/": _quotient, "||": _joined}


def _case(expression: Expression) -> Function:
    """Without parameters, so that each row keeps its value: it is the key of indexes."""
    _, value, arms, other = expression
    asked, default = compiled(value, {}), compiled(other, {})
    pairs = [tuple(compiled(e, {}) for e in arm) for arm in arms]
    tests = [(_compared("=", asked, wanted), found) for wanted, found in pairs]
    name = repr(expression)

    def case(row: Row) -> Any:
        kept: dict[str, Any] = getattr(row, "kept", {})
        if name not in kept:
            found = (found for test, found in tests if test(row) is True)
            kept[name] = next(found, default)(row)
        return kept[name]

    return case


def _call(name: str, argument: Function) -> Function:
    if name == "FLOOR":
        return lambda row: math.floor(v) if is_number(v := argument(row)) else None
    if name == "TO_STRING":
        return lambda row: _text(argument(row))
    raise ValueError(name)


def _text(value: Any) -> Any:
    if isinstance(value, str) or value is msgspec.UNSET:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if is_number(value) else None


def aggregate(name: str, values: Iterable[Any]) -> Any:
    """COUNT, SUM, MIN or MAX of what is known of these values."""
    known = [value for value in values if is_known(value)]
    if name == "COUNT":
        return len(known)
    if name == "SUM":
        numbers = [value for value in known if is_number(value)]
        return sum(numbers) if numbers else None
    return (min if name == "MIN" else max)(known, key=rank) if known else None
