"""`dlq replay` and `dlq drop`: what they ask, and what they print."""

import asyncio
import json
from dataclasses import asdict

import click

from orderapp.commands.dlq_print import Table, as_json
from orderapp.commands.progress import Progress
from orderapp.commands.running import existing_cluster
from orderapp.engine.dead_letters.resolutions import Action
from orderapp.engine.dead_letters.resolve import Task
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.observe.texts import complaint
from orderapp.letters.resolve import Outcome, Resolve
from orderapp.letters.select import Selection

_VERBS: dict[Action, str] = {"replayed": "replay", "dropped": "drop"}


async def count(action: Action, selection: Selection) -> int:
    """How many dead letters it is about."""
    running = Resolve(await existing_cluster(), action, selection, True, complain)
    await running.run()
    return running.outcome.done


async def resolve(
    action: Action,
    selection: Selection,
    total: int | None,
    *,
    dry_run: bool,
    json_lines: bool,
) -> Outcome:
    """Do it; raises `FatalError` or `TransientError` when it can't go on. `total`, if it is
    known, is how many it is about."""
    table = Table(with_notes=False)
    show = _show_json if json_lines else table.print
    with Progress(action, total) as progress:
        running = Resolve(
            await existing_cluster(), action, selection, dry_run, complain, show, note=progress
        )
        await _run(running)
    table.end()
    return running.outcome


async def _run(running: Resolve) -> None:
    try:
        await running.run()
    except asyncio.CancelledError:
        click.echo(f"interrupted{_so_far(running.outcome)}", err=True)
        raise
    except (FatalError, TransientError) as error:
        raise FatalError(f"{error}{_so_far(running.outcome)}") from error


def complain(line: str) -> None:
    """Say it on stderr."""
    click.echo(complaint(line), err=True)


def question(action: Action, count: int) -> str:
    """What is asked before it is done."""
    return f"{_VERBS[action].capitalize()} {_letters(count)}?"


def report(outcome: Outcome, *, as_json: bool) -> int:
    """Print the counts and what went wrong; the exit status."""
    for line in outcome.errors:
        complain(line)
    click.echo(json.dumps(asdict(outcome)) if as_json else _as_text(outcome))
    return 1 if outcome.errors else 0


def _show_json(tasks: list[Task]) -> None:
    for letter, services in tasks:
        click.echo(json.dumps({**as_json(letter), "for": services}))


def _as_text(outcome: Outcome) -> str:
    """One line."""
    if not (outcome.done or outcome.skipped or outcome.already_done or outcome.errors):
        return "nothing to do: no open dead letter fits"
    what = f"would {_VERBS[outcome.action]}" if outcome.dry_run else outcome.action
    parts = [f"{what} {_letters(outcome.done)}"]
    if outcome.already_done:
        parts.append(f"{outcome.already_done} done before")
    if outcome.skipped:
        parts.append(f"skipped {outcome.skipped} that can't be replayed (damaged headers)")
    if outcome.errors:
        parts.append(f"{len(outcome.errors)} failed")
    return "; ".join(parts)


def _so_far(outcome: Outcome) -> str:
    if outcome.dry_run or not outcome.done:
        return ""
    done = _letters(outcome.done)
    return f" ({outcome.action} {done} before; the command can be repeated)"


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"
