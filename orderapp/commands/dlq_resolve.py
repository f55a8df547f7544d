"""`dlq replay` and `dlq drop`: from a selection to what is done, and the counts of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field

import click

from orderapp.app import app
from orderapp.commands.dlq_print import Table, as_json
from orderapp.commands.dlq_read import RESOLVED, TOPIC, Opened, opened
from orderapp.commands.dlq_select import Selection
from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.dead_letters.resolutions import Action
from orderapp.engine.dead_letters.resolve import Addresses, Resolver, Task, windows
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.observe.texts import complaint

_VERBS: dict[Action, str] = {"replayed": "replay", "dropped": "drop"}


@dataclass
class Outcome:
    """What was done; the fields of `--json`."""

    action: Action
    dry_run: bool
    #: In a dry run: what would be done.
    done: int = 0
    #: Chosen by their places, and done before.
    already_done: int = 0
    #: Chosen by filters, and can't be replayed.
    skipped: int = 0
    #: What was asked for by name and is not possible, or did not succeed: a line for each.
    errors: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        """One line."""
        if not (self.done or self.skipped or self.already_done or self.errors):
            return "nothing to do: no open dead letter fits"
        what = f"would {_VERBS[self.action]}" if self.dry_run else self.action
        parts = [f"{what} {_letters(self.done)}"]
        if self.already_done:
            parts.append(f"{self.already_done} done before")
        if self.skipped:
            parts.append(f"skipped {self.skipped} that can't be replayed (damaged headers)")
        if self.errors:
            parts.append(f"{len(self.errors)} failed")
        return "; ".join(parts)


@dataclass(frozen=True)
class Resolve:
    """One run of `dlq replay` or `dlq drop`."""

    action: Action
    selection: Selection
    dry_run: bool
    json: bool

    async def count(self) -> int:
        """How many dead letters it is about."""
        outcome = Outcome(self.action, dry_run=True)
        async with opened(self.selection) as dead_letters:
            chunks = self._tasks(dead_letters, await _addresses(dead_letters), outcome)
            return sum([len(tasks) async for tasks in chunks])

    async def run(self) -> Outcome:
        """Do it; raises `FatalError` or `TransientError` when it can't go on."""
        outcome = Outcome(self.action, self.dry_run)
        async with opened(self.selection) as dead_letters:
            addresses = await _addresses(dead_letters)
            chunks = self._tasks(dead_letters, addresses, outcome)
            if self.dry_run:
                await self._show(chunks, outcome)
            else:
                resolver = Resolver(dead_letters.cluster, TOPIC, addresses)
                await self._do(resolver, chunks, outcome)
        return outcome

    async def _tasks(
        self, dead_letters: Opened, addresses: Addresses, outcome: Outcome
    ) -> AsyncIterator[list[Task]]:
        """What is to be done; `outcome` takes note of what is not."""
        async for chunk in dead_letters.read():
            tasks = [self._task(letter, addresses, outcome) for letter in chunk]
            yield [task for task in tasks if task is not None]
        outcome.errors += dead_letters.missing()

    def _task(self, letter: DeadLetter, addresses: Addresses, outcome: Outcome) -> Task | None:
        by_place = bool(self.selection.places)
        task = self.selection.task(letter)
        if task is None:
            if by_place and letter.is_open:
                outcome.errors.append(f"{letter.place} does not fit the filters")
            elif by_place:
                outcome.already_done += 1
            return None
        objection = addresses.objection(letter) if self.action == "replayed" else None
        if objection is None:
            return task
        if by_place:
            outcome.errors.append(f"{letter.place} can't be replayed: {objection}")
        else:
            outcome.skipped += 1
        return None

    async def _show(self, chunks: AsyncIterator[list[Task]], outcome: Outcome) -> None:
        table = Table(with_notes=False)
        async for tasks in chunks:
            outcome.done += len(tasks)
            if self.json:
                for letter, services in tasks:
                    click.echo(json.dumps({**as_json(letter), "for": services}))
            else:
                table.print(tasks)

    async def _do(
        self, resolver: Resolver, chunks: AsyncIterator[list[Task]], outcome: Outcome
    ) -> None:
        async with resolver:
            try:
                async for tasks in chunks:
                    for window in windows(tasks):
                        if self.action == "dropped":
                            await resolver.drop(window)
                            continue
                        for (letter, _), why in await resolver.replay(window):
                            outcome.errors.append(f"{letter.place} can't be replayed: {why}")
            except asyncio.CancelledError:
                click.echo(f"interrupted{self._so_far(resolver)}", err=True)
                raise
            except (FatalError, TransientError) as error:
                raise FatalError(f"{error}{self._so_far(resolver)}") from error
            finally:
                outcome.done = resolver.done

    def _so_far(self, resolver: Resolver) -> str:
        if not resolver.done:
            return ""
        return f" ({self.action} {_letters(resolver.done)} before; the command can be repeated)"


def question(action: Action, count: int) -> str:
    """What is asked before it is done."""
    return f"{_VERBS[action].capitalize()} {_letters(count)}?"


def report(outcome: Outcome, *, as_json: bool) -> int:
    """Print the counts and what went wrong; the exit status."""
    for line in outcome.errors:
        click.echo(complaint(line), err=True)
    click.echo(json.dumps(asdict(outcome)) if as_json else outcome.as_text())
    return 1 if outcome.errors else 0


async def _addresses(dead_letters: Opened) -> Addresses:
    reader = dead_letters.reader
    await reader.ends(RESOLVED)  # to say now when it is not there
    names = [spec.name for spec in app.topic_specs if spec.name not in (TOPIC, RESOLVED)]
    partitions = {
        name: frozenset(await reader.ends(name)) for name in names if reader.has(name)
    }
    return Addresses(partitions, app.services.readers)


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"
