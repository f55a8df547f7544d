"""How values of options are written, where click has no type for them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from orderapp.engine.observe.times import parse_time

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")


class OptionType(click.ParamType):
    """A click type made of a function that raises ValueError."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def read_moment(text: str) -> datetime:
    """Read an RFC 3339 time (UTC if it does not say), a date, or `2h` (ago); ValueError."""
    match = _DURATION.fullmatch(text)
    try:
        if match:
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        return parse_time(text, dates=True)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: give RFC 3339 (2026-11-23T18:00:00Z, or a date) or how long "
            "ago (30s, 15m, 2h, 7d, 1w)"
        ) from None


MOMENT = OptionType("time", read_moment)
