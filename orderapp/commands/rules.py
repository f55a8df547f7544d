"""`faust -A orderapp rules`: by what fraud judges orders, and what a change would mean."""

import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

import click

from orderapp import topics
from orderapp.app import app
from orderapp.backtest import Backtest
from orderapp.commands.group import SubCommand, group
from orderapp.commands.option_types import MOMENT, OptionType
from orderapp.commands.rules_print import report, report_as_text, rule_as_json, rules_as_text
from orderapp.commands.running import existing_cluster, run
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.reading import TopicReader
from orderapp.judging import rules
from orderapp.models import format_time
from orderapp.reconcile.progress import Progress
from orderapp.rule import Rule

TOPIC = topics.orders.name
JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")

rules_group = group("rules", "Rules of fraud: what there are, and what a change would mean.")


class _Rules(SubCommand):
    abstract: ClassVar[bool] = True
    group = rules_group


class ListCommand(_Rules):
    """List the rules, with their states and parameters.

    With --json each line is an object with id, state, version, parameters, text and place."""

    name = "list"
    options = [JSON]  # noqa: RUF012 - declared by Faust

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Print them."""
        known = sorted(rules.all.values(), key=lambda rule: rule.id)
        if self.wants_json():
            for rule in known:
                click.echo(json.dumps(rule_as_json(rule)))
        else:
            click.echo(rules_as_text(known))
        sys.exit(0)


def read_rule(text: str) -> Rule:
    """The rule of this id; ValueError."""
    if text not in rules.all:
        raise ValueError(f"there is no rule {text!r}; there are {', '.join(sorted(rules.all))}")
    return rules.all[text]


def read_values(rule: Rule, settings: Sequence[str]) -> dict[str, Any]:
    """The parameters of `--set NAME=VALUE`; ValueError."""
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} sets nothing: give NAME=VALUE")
        if name in values:
            raise ValueError(f"{name} is set twice")
        values[name] = rule.read(name, text)
    return values


class TestCommand(_Rules):
    """Judge the history of orders by a rule, and show what it would have raised.

    Whatever its state is: nothing is sent, and nothing is changed. Compared with it are the
    active rules as they are: what they raise too (already), what nobody raises (new), and what
    the rule itself raises now and would no longer (gone). Times are UTC. --since and --until
    go by the records' Kafka timestamps. With --json it is one object: rule, parameters, since,
    until, records, unreadable, failures, failure, raised, already, new, gone, by_country,
    by_hour, examples. Exit status: 0 done, 1 there was nothing to judge or it can't be read, 2
    wrong arguments."""

    name = "test"
    options = [  # noqa: RUF012 - declared by Faust
        click.argument("rule", type=OptionType("rule", read_rule)),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            help="Another value of a parameter; lists as NG,RU. May be repeated.",
        ),
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
        try:
            values = read_values(rule, self.kwargs["settings"])
        except ValueError as error:
            raise click.UsageError(f"--set: {error}") from error
        found = run(_test(rule, values, since, until, limit))
        click.echo(json.dumps(found) if as_json else report_as_text(found))
        sys.exit(0)


async def _test(
    rule: Rule, values: dict[str, Any], since: datetime | None, until: datetime, limit: int
) -> dict[str, Any]:
    try:
        with closing(Backtest(rule, values, rules)) as backtest:
            unreadable = await _read(backtest, since, until)
            if not backtest.records:
                raise FatalError(f"there are no orders {_during(since, until)} in {TOPIC}")
            times = {"since": since and format_time(since), "until": format_time(until)}
            return {**times, "unreadable": unreadable, **report(backtest, values, limit)}
    except sqlite3.Error as error:
        raise FatalError(f"the temporary file (in TMPDIR) failed: {error}") from error


async def _read(backtest: Backtest, since: datetime | None, until: datetime) -> int:
    """Judge all orders of a time; how many records are none."""
    unreadable, decoder = 0, app.decoder(TOPIC)
    since_ms = float("-inf") if since is None else since.timestamp() * 1000
    async with TopicReader(await existing_cluster()) as reader:
        ends = await reader.ends(TOPIC)
        begins = (
            await reader.begins(TOPIC)
            if since is None
            else {**ends, **await reader.begins_at(TOPIC, int(since_ms))}
        )
        with Progress() as progress:
            progress.restart(sum(ends.values()) - sum(begins.values()))
            async for _, records in reader.read(TOPIC, ends, begins):
                batch, bad = decoder.batch(records)
                backtest.judge(batch, since_ms, until.timestamp() * 1000)
                unreadable += len(bad)
                progress.add(len(records), "reading orders")
    return unreadable


def _during(since: datetime | None, until: datetime) -> str:
    if since is None:
        return f"until {format_time(until)}"
    return f"from {format_time(since)} to {format_time(until)}"
