"""Replays or drops a selection of dead letters, and counts what was done."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from orderapp.app import app
from orderapp.engine.dead_letters.read import DeadLetter
from orderapp.engine.dead_letters.resolutions import Action
from orderapp.engine.dead_letters.resolve import Addresses, Resolver, Task, windows
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.reading import TopicReader
from orderapp.letters.opened import RESOLVED, TOPIC, Opened, opened
from orderapp.letters.select import Selection


@dataclass
class Outcome:
    """What was done; the fields of `dlq --json`."""

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


@dataclass
class Resolve:
    """One replay or drop. `outcome` is right at any time, also when it was interrupted."""

    cluster: Cluster
    action: Action
    selection: Selection
    dry_run: bool
    #: Hears what can't be read.
    say: Callable[[str], None]
    #: Hears in a dry run what would be done.
    show: Callable[[list[Task]], None] = lambda _: None
    #: Asked before each part: whether there is time for it.
    go_on: Callable[[], bool] = lambda: True
    #: Hears after each part how many are done.
    note: Callable[[int], None] = lambda _: None
    outcome: Outcome = field(init=False)

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.action, self.dry_run)

    async def run(self) -> bool:
        """Do it; False when there was no time for all. Raises `FatalError` or `TransientError`
        when it can't go on."""
        async with opened(self.cluster, self.selection, self.say) as letters:
            addresses = await addresses_of(letters.reader)
            if self.dry_run:
                async for tasks in self._tasks(letters, addresses):
                    self.outcome.done += len(tasks)
                    self.show(tasks)
                    if not self.go_on():
                        return False
                return True
            return await self._do(letters, addresses)

    async def _tasks(self, letters: Opened, addresses: Addresses) -> AsyncIterator[list[Task]]:
        """What is to be done; `outcome` takes note of what is not."""
        async for chunk in letters.read():
            tasks = [self._task(letter, addresses) for letter in chunk]
            yield [task for task in tasks if task is not None]
        self.outcome.errors += letters.missing()

    def _task(self, letter: DeadLetter, addresses: Addresses) -> Task | None:
        by_place, outcome = bool(self.selection.places), self.outcome
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

    async def _do(self, letters: Opened, addresses: Addresses) -> bool:
        async with Resolver(self.cluster, TOPIC, addresses) as resolver:
            try:
                async for tasks in self._tasks(letters, addresses):
                    # Also of a part in which nothing fits.
                    for window in windows(tasks) if tasks else [[]]:
                        if not self.go_on():
                            return False
                        await self._do_part(resolver, window)
                        self.note(resolver.done)
            finally:
                self.outcome.done = resolver.done
        return True

    async def _do_part(self, resolver: Resolver, window: list[Task]) -> None:
        if self.action == "dropped":
            await resolver.drop(window)
            return
        for (letter, _), why in await resolver.replay(window):
            self.outcome.errors.append(f"{letter.place} can't be replayed: {why}")


async def addresses_of(reader: TopicReader) -> Addresses:
    """Where dead letters may be sent."""
    await reader.ends(RESOLVED)  # to say now when it is not there
    names = [spec.name for spec in app.topic_specs if spec.name not in (TOPIC, RESOLVED)]
    partitions = {
        name: frozenset(await reader.ends(name)) for name in names if reader.has(name)
    }
    return Addresses(partitions, app.services.readers)
