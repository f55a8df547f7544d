"""How dead letters are shown: as a table, in full, or as JSON."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import click

from orderapp.commands.fit import cut, room
from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.dead_letters.resolutions import Resolution
from orderapp.engine.dead_letters.resolve import Task
from orderapp.engine.observe.texts import printable
from orderapp.letters.select import order_of

#: Characters of a value that `show` prints; `--json` has all.
SHOWN = 2_000


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """The fields of `--json`. Bytes are `{"text": …}`, or `{"base64": …}` when not UTF-8."""
    origin = letter.origin
    return {
        "place": str(letter.place),
        "partition": letter.place.partition,
        "offset": letter.place.offset,
        "order_id": order_of(letter.record),
        "key": _bytes_as_json(letter.record.key),
        "services": list(letter.services),
        "open_for": list(letter.open_for),
        "error_class": origin and origin.error_class,
        "error_text": origin and origin.error_text,
        "attempts": origin and origin.attempts,
        "original_topic": origin and origin.topic,
        "original_partition": origin and origin.partition,
        "original_offset": origin and origin.offset,
        "original_timestamp": origin and origin.timestamp,
        "first_failure": origin and origin.first_failure,
        "last_failure": origin and origin.last_failure,
        "damage": letter.damage,
        "resolved": _note_as_json(letter.resolution),
    }


def in_full_as_json(letter: DeadLetter) -> dict[str, Any]:
    """The same, with all headers and the value."""
    headers = [[name, _bytes_as_json(value)] for name, value in letter.record.headers or ()]
    return {**as_json(letter), "headers": headers, "value": _bytes_as_json(letter.record.value)}


def _note_as_json(note: Resolution | None) -> dict[str, Any] | None:
    if note is None:
        return None
    return {"action": note.action, "at": note.at, "services": list(note.services)}


def _bytes_as_json(value: bytes | None) -> dict[str, str] | None:
    if value is None:
        return None
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


class Table:
    """Prints rows as they come; the first ones decide how wide the columns are."""

    def __init__(self, *, with_notes: bool) -> None:
        self._with_notes = with_notes
        self._widths: list[int] = []
        self._room = room()
        #: Whether a row did not fit.
        self.cut = False

    def print(self, tasks: Sequence[Task]) -> None:
        """Print a row for each."""
        rows = [self._row(task) for task in tasks]
        if rows and not self._widths:
            names = ["PLACE", "ORDER", "SERVICE", "ATTEMPTS", "LAST FAILURE"]
            rows.insert(0, [*names, *(["DONE"] if self._with_notes else []), "ERROR"])
            self._widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)]
            line = "  ".join(cells).rstrip()
            shown = cut(line, self._room)
            self.cut = self.cut or shown != line
            click.echo(shown)

    def end(self) -> None:
        """Say on stderr what was left out, if something was."""
        if self.cut:
            click.echo("lines were cut at … : `dlq show` and --json have all", err=True)

    def _row(self, task: Task) -> list[str]:
        letter, origin = task.letter, task.letter.origin
        row = [
            str(letter.place),
            _name(letter),
            ",".join(task.services) or "?",
            str(origin.attempts) if origin else "?",
            letter.last_failure.isoformat(sep=" ", timespec="seconds")[:19],
        ]
        if self._with_notes:
            row.append(_done(letter))
        return [printable(cell) for cell in [*row, letter.error]]


def _name(letter: DeadLetter) -> str:
    order = order_of(letter.record)
    if order is not None:
        return str(order)
    return _text(letter.record.key, 24) if letter.record.key is not None else "-"


def _done(letter: DeadLetter) -> str:
    note = letter.resolution
    if note is None:
        return "-"
    what = f"{note.action} {note.at[:19]}"
    return f"{what} ({note.service})" if letter.is_open else what


def in_full(letter: DeadLetter) -> Iterator[str]:
    """The lines of `show`."""
    record = letter.record
    yield f"place      {letter.place} of {record.topic}"
    yield f"order      {_name(letter)}"
    yield f"open for   {','.join(letter.open_for) or ('?' if letter.is_open else '-')}"
    yield f"done       {_done(letter)}"
    if letter.damage is not None:
        yield f"damaged    {printable(letter.damage)}"
    yield "headers"
    for name, value in record.headers or ():
        yield f"  {printable(name)}: {_text(value, SHOWN)}"
    yield f"key        {_text(record.key, SHOWN)}"
    yield f"value      {_text(record.value, SHOWN)}"


def _text(value: bytes | None, most: int) -> str:
    if value is None:
        return "none"
    try:
        text = printable(value.decode())
    except UnicodeDecodeError:
        text = f"base64 {base64.b64encode(value).decode()}"
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(value)} bytes; --json shows all)"
