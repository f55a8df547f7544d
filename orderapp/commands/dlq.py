"""`faust -A orderapp dlq`: dead letters are listed, shown, sent again, or dropped."""

import json
import sys
from typing import Any, ClassVar, NoReturn

import click

from orderapp.commands import group
from orderapp.commands.dlq_options import DROP, LIST, REPLAY, SHOW
from orderapp.commands.dlq_print import Table, as_json, in_full, in_full_as_json
from orderapp.commands.dlq_resolve import complain, count, question, report, resolve
from orderapp.commands.group import SubCommand
from orderapp.commands.running import existing_cluster, run
from orderapp.engine.dead_letters.resolutions import Action
from orderapp.letters.opened import TOPIC, opened
from orderapp.letters.select import Selection

_EXIT = """

    Exit status: 0 done, 1 something could not be read or done, 2 wrong arguments."""

dlq = group.group(
    "dlq",
    f"""Dead letters: what the services could not process.

    A dead letter lies at PARTITION:OFFSET of the topic {TOPIC} (3:17) and stays there. It is
    open until it was replayed or dropped.{_EXIT}""",
)


class _Dlq(SubCommand):
    abstract: ClassVar[bool] = True
    group = dlq


class ListCommand(_Dlq):
    __doc__ = f"""List open dead letters, one in a line.

    ERROR can be filtered by a part of it (`--error GatewayTimeout`, `--error damaged`). Times
    are UTC. With --json each line is an object; its fields are only ever added to:
    place, partition, offset, order_id, key, services, open_for (services for which nothing was
    done yet), error_class, error_text, attempts, original_topic, original_partition,
    original_offset, original_timestamp (ms), first_failure, last_failure, damage (what is
    wrong with the headers; the fields from them are null then), resolved (action, at,
    services; null: nothing was done).{_EXIT}"""

    name = "list"
    options = LIST

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        as_json, limit = self.wants_json(), self.kwargs.pop("limit")
        run(_list(Selection(**self.kwargs), limit, as_json))
        sys.exit(0)


class ShowCommand(_Dlq):
    __doc__ = f"""Show dead letters in full: headers, key and value.

    With --json, the fields of `list` and `headers`, a list of [name, value], and `value`. Bytes
    are {{"text": …}}, or {{"base64": …}} when they are not UTF-8.{_EXIT}"""

    name = "show"
    options = SHOW

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        as_json = self.wants_json()
        sys.exit(run(_show(Selection(self.kwargs["places"], resolved=True), as_json)))


class _Change(_Dlq):
    abstract: ClassVar[bool] = True
    action: ClassVar[Action]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        as_json, everything = self.wants_json(), self.kwargs.pop("everything")
        dry_run, yes = self.kwargs.pop("dry_run"), self.kwargs.pop("yes")
        selection = Selection(**self.kwargs)
        if selection.is_everything() and not everything:
            raise click.UsageError("Which ones? Give places, filters, or --everything")
        if everything and not selection.is_everything():
            raise click.UsageError("--everything does not go with places or filters")
        number = len(selection.places) or None
        if not (yes or dry_run) and sys.stdin.isatty():
            # Outside of the loop, which would keep Ctrl-C from the question.
            number = run(count(self.action, selection))
            if number and not click.confirm(question(self.action, number), err=True):
                sys.exit("orderapp: nothing was changed")
        work = resolve(self.action, selection, number, dry_run=dry_run, json_lines=as_json)
        sys.exit(report(run(work), as_json=as_json))


class ReplayCommand(_Change):
    __doc__ = f"""Send dead letters again, to the services that gave them up.

    They go to the topic and partition that they came from. Other services pass them by. What
    fails again is a new dead letter, with the attempts added up. --service narrows it to this
    service. An interrupted replay can be repeated: at worst a service gets an order twice, and
    charges it once. Damaged ones are skipped when they are chosen by filters.{_EXIT}"""

    name = "replay"
    action = "replayed"
    options = REPLAY


class DropCommand(_Change):
    __doc__ = f"""Note that nothing will be done with dead letters.

    They stay in the topic, and `replay --all` can still send them again.{_EXIT}"""

    name = "drop"
    action = "dropped"
    options = DROP


async def _list(selection: Selection, limit: int | None, json_lines: bool) -> None:
    table, count = Table(with_notes=selection.resolved), 0
    async with opened(await existing_cluster(), selection, complain) as dead_letters:
        async for chunk in dead_letters.read():
            tasks = [task for task in map(selection.task, chunk) if task is not None]
            tasks = tasks[: None if limit is None else limit - count]
            count += len(tasks)
            if json_lines:
                for task in tasks:
                    click.echo(json.dumps(as_json(task.letter)))
            else:
                table.print(tasks)
            if count == limit:
                break
    if not json_lines:
        what = f"{'' if selection.resolved else 'open '}dead letter{'' if count == 1 else 's'}"
        shown = f"the first {count} {what}" if count == limit else f"{count or 'no'} {what}"
        click.echo(shown, err=True)
        table.end()


async def _show(selection: Selection, json_lines: bool) -> int:
    async with opened(await existing_cluster(), selection, complain) as dead_letters:
        async for chunk in dead_letters.read():
            for letter in chunk:
                if json_lines:
                    click.echo(json.dumps(in_full_as_json(letter)))
                else:
                    click.echo("\n".join(in_full(letter)))
        missing = list(dead_letters.missing())
    for line in missing:
        complain(line)
    return 1 if missing else 0
