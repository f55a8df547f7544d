"""The options of `dlq`, and how their values are written."""

import re
from typing import Any

import click

from orderapp.app import app
from orderapp.commands.option_types import MOMENT, OptionType
from orderapp.engine.dead_letters.resolutions import Place
from orderapp.letters.select import Range

_RANGE = re.compile(r"([0-9]{1,18})(-([0-9]{1,18})?)?")


def read_range(text: str) -> Range:
    """Read `5`, `5-9` or `5-`; ValueError."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no range of offsets: give 5, 5-9 or 5-")
    first = int(match[1])
    last = int(match[3]) if match[3] else None if match[2] else first
    if last is not None and last < first:
        raise ValueError(f"{text!r} is no range of offsets: it ends before it begins")
    return Range(first, last)


_PLACE = OptionType("place", Place.parse)
_RANGE_TYPE = OptionType("range", read_range)

# The options that make a selection.
_FILTERS: list[Any] = [
    click.option(
        "--service",
        type=click.Choice([*app.services.readers]),
        help="Those that this service gave up.",
    ),
    click.option("--error", metavar="TEXT", help="Part of the error's class or text."),
    click.option("--since", type=MOMENT, help="Failed at this time (RFC 3339) or later."),
    click.option("--until", type=MOMENT, help="… or earlier; 2h is two hours ago."),
    click.option(
        "--partition",
        "partitions",
        type=click.IntRange(0, 2**31 - 1),
        multiple=True,
        help="In this partition of orders-dlq; may be repeated.",
    ),
    click.option("--offset", "offsets", type=_RANGE_TYPE, help="At these offsets: 5, 5-9, 5-."),
    click.option("--order", type=click.IntRange(0), metavar="ID", help="Of this order."),
]

_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, one object in a line.")
_RESOLVED = click.option("--all", "resolved", is_flag=True, help="Also those that are done.")
LIST: list[Any] = [
    *_FILTERS,
    _RESOLVED,
    click.option("--limit", type=click.IntRange(1), help="At most so many."),
    _JSON,
]
SHOW: list[Any] = [
    click.argument("places", type=_PLACE, nargs=-1, required=True, metavar="PLACE..."),
    _JSON,
]
DROP: list[Any] = [
    click.argument("places", type=_PLACE, nargs=-1, metavar="[PLACE]..."),
    *_FILTERS,
    click.option("--everything", is_flag=True, help="All that are open, instead of a filter."),
    click.option("--dry-run", is_flag=True, help="Only list what would be done."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask (on a terminal)."),
    _JSON,
]
REPLAY: list[Any] = [*DROP, _RESOLVED]
