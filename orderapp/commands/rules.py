"""`faust -A orderapp rules`: by what fraud judges orders, tried and changed."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

import click
import msgspec

from orderapp import control, topics
from orderapp.app import app
from orderapp.backtest import Backtest
from orderapp.backtest_report import NO_ORDERS, RuleTest
from orderapp.commands.changing import (
    AUTHOR,
    JSON,
    catch_up_if_possible,
    changing,
    read_author,
    version_option,
)
from orderapp.commands.group import SubCommand, group
from orderapp.commands.option_types import MOMENT, OptionType
from orderapp.commands.rules_print import report, report_as_text, rule_as_json, rules_as_text
from orderapp.commands.running import existing_cluster, run
from orderapp.control import Wanted
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.reading import TopicReader
from orderapp.engine.observe.texts import printable
from orderapp.judging import rules
from orderapp.models import RuleChange, format_time
from orderapp.reconcile.progress import Progress
from orderapp.rule import STATES, Rule, in_words

TOPIC = topics.orders.name
AS_DECLARED = "the rules as their files have them"


def _values(rule: Rule, settings: Sequence[str]) -> dict[str, Any]:
    try:
        return rule.read_all(settings)
    except ValueError as error:
        raise click.UsageError(f"--set: {error}") from error


RULE = click.argument("rule", type=OptionType("rule", rules.named))
SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a parameter; lists as NG,RU. May be repeated.",
)

rules_group = group("rules", "Rules of fraud: list, try and change them.")


class _Rules(SubCommand):
    abstract: ClassVar[bool] = True
    group = rules_group


class ListCommand(_Rules):
    """List the rules, with their states, versions and parameters as they are in force, and who
    has changed them when.

    Where Kafka can't be read, as their files have them, which a line on stderr says. With
    --json each line is an object with id, state, version, changed_at, author, parameters, text
    and place."""

    name = "list"
    options = [JSON]  # noqa: RUF012 - declared by Faust

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Print them."""
        as_json = self.wants_json()
        run(catch_up_if_possible(AS_DECLARED))
        known = [*rules.all.values()]
        if as_json:
            for rule in known:
                click.echo(json.dumps(rule_as_json(rule)))
        else:
            click.echo(rules_as_text(known))
        sys.exit(0)


class SetCommand(_Rules):
    """Change a rule: its state, values of its parameters, or both.

    Every worker of fraud judges by it within a second; what was judged stays as it is.
    Parameters that are not named keep their values. Printed is what the rule was, and what it
    is; with --json as an object with before and after. Exit status: 0 done, or nothing to
    change; 1 another version than --version is in force, or Kafka does not answer; 2 wrong
    arguments."""

    name = "set"
    options = [  # noqa: RUF012 - declared by Faust
        RULE,
        click.option("--state", type=click.Choice(STATES), help="Default: as it is."),
        SETTINGS,
        version_option("rules list"),
        AUTHOR,
        JSON,
    ]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Run it."""
        as_json, rule, state = self.wants_json(), self.kwargs["rule"], self.kwargs["state"]
        values = _values(rule, self.kwargs["settings"])
        if state is None and not values:
            raise click.UsageError("nothing to change: give --state or --set")
        author = read_author(self.kwargs["author"])
        wanted = Wanted(rule.id, state, values, author, self.kwargs["version"])
        before, after = run(_set(wanted))
        if as_json:
            both = {"before": rule_as_json(before), "after": rule_as_json(after)}
            click.echo(json.dumps(both))
        elif before == after:
            click.echo(printable(f"{rule.id} is so already: {in_words(after)}"))
        else:
            click.echo(printable(f"{rule.id} was {in_words(before)}"))
            click.echo(printable(f"{rule.id} is  {in_words(after)}"))
        sys.exit(0)


async def _set(wanted: Wanted) -> tuple[Rule, Rule]:
    async with changing() as (look, send):

        async def send_it(change: RuleChange) -> None:
            await send(topics.control.key_of(change), topics.control.codec.encode(change))

        return await control.change(wanted, look, send_it)


class TestCommand(_Rules):
    """Judge the history of orders by a rule, and show what it would have raised.

    Whatever its state is: nothing is sent, and nothing is changed. Parameters that are not set
    are as they are in force. Compared with it are the active rules as they are: what they raise
    too (already), what nobody raises (new), and what the rule itself raises now and would no
    longer (gone). Rules with a window are asked in the sequence of the records' timestamps.
    Times are UTC. --since and --until go by the records' Kafka timestamps. With
    --json it is one object: rule, parameters, since, until, records, unreadable, failures,
    failure, raised, already, new, gone, by_country, by_hour, examples. Exit status: 0 done, 1
    there was nothing to judge or it can't be read, 2 wrong arguments."""

    name = "test"
    options = [  # noqa: RUF012 - declared by Faust
        RULE,
        SETTINGS,
        click.option("--since", type=MOMENT, help="Orders of this time (RFC 3339) or later."),
        click.option("--until", type=MOMENT, help="… or earlier; 7d is seven days ago."),
        click.option(
            "--limit",
            type=click.IntRange(0, 1000),
            default=10,
            show_default=True,
            help="How many orders to show as examples.",
        ),
        JSON,
    ]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Run it."""
        as_json, rule, limit = self.wants_json(), self.kwargs["rule"], self.kwargs["limit"]
        since, until = self.kwargs["since"], self.kwargs["until"] or datetime.now(UTC)
        if since is not None and since > until:
            raise click.UsageError("--since is later than --until")
        values = _values(rule, self.kwargs["settings"])
        found = run(_test(rule, values, since, until, limit))
        as_text = json.dumps(msgspec.to_builtins(found)) if as_json else report_as_text(found)
        click.echo(as_text)
        sys.exit(0)


async def _test(
    rule: Rule, values: dict[str, Any], since: datetime | None, until: datetime, limit: int
) -> RuleTest:
    cluster = await existing_cluster()
    await catch_up_if_possible(AS_DECLARED, cluster)
    try:
        with closing(Backtest(rules.all[rule.id], values, rules)) as backtest:
            unreadable = await _read(cluster, backtest, since, until)
            if not backtest.records:
                raise FatalError(f"{NO_ORDERS} {_during(since, until)} in {TOPIC}")
            return report(backtest, values, limit, since, until, unreadable)
    except sqlite3.Error as error:
        raise FatalError(f"the temporary file (in TMPDIR) failed: {error}") from error


async def _read(
    cluster: Cluster, backtest: Backtest, since: datetime | None, until: datetime
) -> int:
    """Judge all orders of a time; how many records are none."""
    unreadable, decoder = 0, app.decoder(TOPIC)
    since_ms = float("-inf") if since is None else since.timestamp() * 1000
    async with TopicReader(cluster) as reader:
        ends = await reader.ends(TOPIC)
        begins = await reader.begins(TOPIC)
        if since is not None:
            first = int(since_ms) - backtest.seconds * 1000
            begins = {**ends, **await reader.begins_at(TOPIC, first)}
        with Progress() as progress:
            size = sum(ends.values()) - sum(begins.values())
            progress.restart(size * (2 if backtest.seconds else 1))
            async for _, records in reader.read(TOPIC, ends, begins):
                batch, bad = decoder.batch(records)
                backtest.judge(batch, since_ms, until.timestamp() * 1000)
                unreadable += len(bad)
                progress.add(len(records), "reading orders")
            for count in backtest.finish(since_ms):
                progress.add(count, "judging by windows")
                await asyncio.sleep(0)
    return unreadable


def _during(since: datetime | None, until: datetime) -> str:
    if since is None:
        return f"until {format_time(until)}"
    return f"from {format_time(since)} to {format_time(until)}"
