"""How values of options are written, where click has no type for them."""

from collections.abc import Callable
from typing import Any

import click

from orderapp.engine.observe.times import read_moment


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


MOMENT = OptionType("time", read_moment)
