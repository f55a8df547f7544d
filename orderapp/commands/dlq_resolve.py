"""`dlq replay` and `dlq drop`: from a selection to what is done, and the counts of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import click

from orderapp.app import app
from orderapp.commands.dlq_print import Table, as_json
from orderapp.commands.dlq_select import Selection
from orderapp.commands.running import existing_cluster, say_held_back
from orderapp.engine.dead_letters.read import DeadLetter, DeadLetters
from orderapp.engine.dead_letters.resolutions import Action, resolutions_topic
from orderapp.engine.dead_letters.resolve import Addresses, Resolver, Task, windows
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.reading import TopicReader
from orderapp.engine.observe.texts import printable
from orderapp.settings import CONSUMERS

TOPIC = "orders-dlq"
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


class _Opened(NamedTuple):
    cluster: Cluster
    letters: DeadLetters
    addresses: Addresses


@dataclass(frozen=True)
class Resolve:
    """One run of `dlq replay` or `dlq drop`."""

    action: Action
    selection: Selection
    dry_run: bool
    json: bool

    async def count(self) -> int:
        """How many dead letters it is about."""
        count = 0
        async with self._opened() as opened:
            async for tasks in self._tasks(opened, Outcome(self.action, dry_run=True)):
                count += len(tasks)
        return count

    async def run(self) -> Outcome:
        """Do it; raises `FatalError` or `TransientError` when it can't go on."""
        outcome = Outcome(self.action, self.dry_run)
        async with self._opened() as opened:
            tasks = self._tasks(opened, outcome)
            if self.dry_run:
                await self._show(tasks, outcome)
            else:
                await self._do(opened, tasks, outcome)
        return outcome

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator["_Opened"]:
        cluster = await existing_cluster()
        async with TopicReader(cluster) as reader:
            await say_held_back(reader, TOPIC, resolutions_topic(TOPIC))
            letters = await DeadLetters.open(reader, TOPIC)
            await reader.ends(resolutions_topic(TOPIC))  # to say now when it is not there
            addresses = Addresses(await _partitions(reader), CONSUMERS)
            yield _Opened(cluster, letters, addresses)

    async def _tasks(self, opened: "_Opened", outcome: Outcome) -> AsyncIterator[list[Task]]:
        """What is to be done; `outcome` takes note of what is not."""
        missing = set(self.selection.places)
        letters = opened.letters
        async for chunk in letters.read(self.selection.spans(letters.spans)):
            named = [letter for letter in chunk if self.selection.is_about(letter)]
            missing.difference_update(letter.place for letter in named)
            tasks = [self._task(letter, opened.addresses, outcome) for letter in named]
            yield [task for task in tasks if task is not None]
        for place in sorted(missing):
            outcome.errors.append(f"{place}: there is no dead letter at this place")

    def _task(self, letter: DeadLetter, addresses: Addresses, outcome: Outcome) -> Task | None:
        task = self.selection.task(letter)
        if task is None:
            if self.selection.places:
                self._explain(letter, outcome)
            return None
        objection = addresses.objection(letter) if self.action == "replayed" else None
        if objection is None:
            return task
        if self.selection.places:
            outcome.errors.append(f"{letter.place} can't be replayed: {objection}")
        else:
            outcome.skipped += 1
        return None

    def _explain(self, letter: DeadLetter, outcome: Outcome) -> None:
        if letter.is_open:
            outcome.errors.append(f"{letter.place} does not fit the filters")
        else:
            outcome.already_done += 1

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
        self, opened: "_Opened", chunks: AsyncIterator[list[Task]], outcome: Outcome
    ) -> None:
        async with Resolver(opened.cluster, TOPIC, opened.addresses) as resolver:
            try:
                async for tasks in chunks:
                    for window in windows(tasks):
                        await self._do_window(resolver, window, outcome)
            except asyncio.CancelledError:
                click.echo(f"interrupted{self._so_far(resolver)}", err=True)
                raise
            except (FatalError, TransientError) as error:
                raise FatalError(f"{error}{self._so_far(resolver)}") from error
            finally:
                outcome.done = resolver.done

    async def _do_window(
        self, resolver: Resolver, window: list[Task], outcome: Outcome
    ) -> None:
        if self.action == "dropped":
            await resolver.drop(window)
            return
        for (letter, _), why in await resolver.replay(window):
            outcome.errors.append(f"{letter.place} can't be replayed: {why}")

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
        click.echo(f"orderapp: {printable(line)}", err=True)
    click.echo(json.dumps(asdict(outcome)) if as_json else outcome.as_text())
    return 1 if outcome.errors else 0


async def _partitions(reader: TopicReader) -> dict[str, frozenset[int]]:
    ours = (TOPIC, resolutions_topic(TOPIC))
    names = [spec.name for spec in app.topic_specs if spec.name not in ours]
    return {name: frozenset(await reader.ends(name)) for name in names if reader.has(name)}


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"
