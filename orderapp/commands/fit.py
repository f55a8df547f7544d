"""Lines and tables that fit a terminal; output to elsewhere is not cut and not wrapped."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from faust.cli import AppCommand

#: Narrower than this, a column of text is of no use.
_LEAST = 20


def room() -> int | None:
    """The columns of the terminal that output goes to; None where it goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def hanging(head: str, text: str) -> str:
    """`text` behind `head`, and in as many lines below as the terminal asks for."""
    columns = room()
    if columns is None:
        return head + text
    width = max(columns - len(head), _LEAST)
    lines = textwrap.wrap(text, width) or [""]
    return head + f"\n{'':<{len(head)}}".join(lines)


def cut(line: str, columns: int | None) -> str:
    """The line, with … at its end where it had to be cut."""
    if columns is None or len(line) <= columns:
        return line
    return f"{line[: columns - 1]}…"


class FittingTable(AppCommand):
    """Base of Faust's commands that print a table: the last column is wrapped."""

    abstract: ClassVar[bool] = True

    def tabulate(
        self,
        data: Sequence[Sequence[str]],
        headers: Sequence[str] | None = None,
        wrap_last_row: bool = True,
        title: str = "",
        **kwargs: Any,
    ) -> str:
        """The table, or JSON."""
        columns = room()
        if columns is not None and not self.json:
            data = wrapped(data, headers or (), columns)
        return super().tabulate(data, headers, wrap_last_row, title, **kwargs)


def wrapped(
    rows: Sequence[Sequence[str]], headers: Sequence[str], columns: int
) -> Sequence[Sequence[str]]:
    """The rows of a table of so many columns, with the last cells in several lines."""
    others = [max(map(len, column)) for column in zip(headers, *rows, strict=True)][:-1]
    # Around each cell a space, and before each one and behind the last one a line.
    left = max(_LEAST, columns - sum(others) - 3 * len(headers) - 1)
    return [[*row[:-1], "\n".join(textwrap.wrap(row[-1], left))] for row in rows]
