"""`faust -A orderapp reconcile`: whether the topics and the store agree."""

import gc
import math
import sqlite3
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click
from faust.cli import AppCommand, option

from orderapp import control
from orderapp.app import settings
from orderapp.commands.running import existing_cluster, refuse_to_create, run
from orderapp.engine.errors import FatalError
from orderapp.store import StoreError
from orderapp.store.adapters import store_for

if TYPE_CHECKING:
    from orderapp.engine.kafka.reading import TopicReader
    from orderapp.reconcile.report import Report

#: Seconds that an order may be on its way. The check ends earlier as soon as all agree.
WAIT = 10.0


class _Seconds(click.FloatRange):
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):  # it is in every range
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


class reconcile(AppCommand):  # noqa: N801 - the name of the command
    """Check that every order is stored, judged and charged once.

    Reads the topics and the store as they are now, and changes nothing; in Couchbase it reads
    by the index orderapp_ids, and makes it if it is missing. Exit status: 0 when all agree
    and nothing was lost or is an open dead letter, 1 when something disagrees, was deleted
    unread, waits as a dead letter or can't be read, 2 for wrong arguments."""

    options = [  # noqa: RUF012 - declared by Faust
        option(
            "--wait",
            type=_Seconds(0, 86_400),
            default=WAIT,
            show_default=True,
            help="Seconds to look again when something may only be on its way.",
        ),
        option(
            "--limit",
            type=click.IntRange(0, 100_000),
            default=10,
            show_default=True,
            help="How many order ids to list for each kind of disagreement.",
        ),
        option(
            "--allow-lost",
            is_flag=True,
            help="Exit status 0 also when records were deleted unread; they are still counted.",
        ),
        option(
            "--allow-dead-letters",
            is_flag=True,
            help="Exit status 0 also while dead letters are open; they are still counted.",
        ),
        option("--json", "as_json", is_flag=True, help="JSON instead of a table."),
    ]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Run, tell what came of it, and end."""
        report = run(_check(self.kwargs["limit"], self.kwargs["wait"]))
        report.allow_dead_letters = self.kwargs["allow_dead_letters"]
        report.allow_lost = self.kwargs["allow_lost"]
        as_json = self.kwargs["as_json"] or self.json
        click.echo(report.as_json() if as_json else report.as_text())
        sys.exit(0 if report.is_well else 1)


async def _check(limit: int, wait: float) -> "Report":
    try:
        return await _look(limit, wait)
    except StoreError as error:
        raise FatalError(str(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise FatalError(f"the check's temporary file (in TMPDIR) failed: {error}") from error
    except OverflowError as error:  # Couchbase holds any number; nothing of ours has such ones
        raise FatalError(
            f"a number in the topics or the store is too large: {error}"
        ) from error


async def _read_rules(reader: "TopicReader") -> None:
    """Bring the rules, and their versions before, to where the log of changes is."""
    if reader.has(control.TOPIC):
        reading = reader.read(control.TOPIC)
        control.changes.take([r async for _, records in reading for r in records], True)


async def _look(limit: int, wait: float) -> "Report":
    # Imported late: with the rule comes the fraud service and its agent, which a worker that
    # runs other services must not have.
    from orderapp.engine.kafka.reading import TopicReader
    from orderapp.reconcile.check import Check
    from orderapp.reconcile.evidence import Evidence
    from orderapp.reconcile.lost import Groups
    from orderapp.reconcile.progress import Progress

    # Millions of facts come and go, and none is in a cycle; looking for cycles takes a fifth
    # of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    cluster = await existing_cluster()
    if settings.couchbase is None:
        refuse_to_create(settings.data_dir / "orders.db")
    store = store_for(settings, read_only=True)
    try:
        await store.open()
        with Evidence() as evidence, Progress() as progress:
            async with TopicReader(cluster) as reader, Groups(cluster) as groups:
                await _read_rules(reader)
                check = Check(
                    reader, store, evidence, progress, groups.lost, settings.days_kept
                )
                return await check.run(limit, wait)
    finally:
        await store.close()
