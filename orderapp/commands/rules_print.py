"""How rules and backtests are shown: as text, or as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from orderapp.app import app
from orderapp.app import settings as of_worker
from orderapp.backtest import Backtest, Counts, Example
from orderapp.backtest_report import (
    RuleTest,
    RuleTestCountry,
    RuleTestCounts,
    RuleTestHour,
    RuleTestOrder,
)
from orderapp.commands.fit import hanging
from orderapp.engine.observe.texts import printable
from orderapp.models import format_time
from orderapp.rule import Rule, settings

#: Hours that are printed; `--json` has more.
HOURS = 24
#: What is counted of all orders, of each country and of each hour.
COUNTED = Counts._fields
#: A worker that listens at one of these is asked by another name.
ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - nothing is bound


def rule_as_json(rule: Rule) -> dict[str, Any]:
    """The fields of `rules list --json`."""
    return {
        "id": rule.id,
        "state": rule.state,
        "version": rule.version,
        "changed_at": rule.changed_at or None,
        "author": rule.author,
        "parameters": rule.written(),
        "text": rule.text,
        "place": rule.place,
    }


def rules_as_text(rules: Sequence[Rule]) -> str:
    """A line for each rule, one for its version and parameters, and one for who has changed it
    when."""
    width = max((len(rule.id) for rule in rules), default=0)
    lines = []
    for rule in rules:
        lines.append(hanging(f"{rule.id:<{width}}  {rule.state:<6}  ", printable(rule.text)))
        more = f"version {rule.version}  {settings(rule.written())}".rstrip()
        lines.append(hanging(" " * (width + 10), printable(more)))
        if rule.changed_at:
            by = f"changed at {rule.changed_at} by {rule.author or 'nobody who said so'}"
            lines.append(hanging(" " * (width + 10), printable(by)))
    return "\n".join(lines) or "no rules"


def report(
    backtest: Backtest,
    values: Mapping[str, Any],
    limit: int,
    since: datetime | None,
    until: datetime,
    unreadable: int,
) -> RuleTest:
    """What came of a backtest of this time."""
    candidate = backtest.candidate
    return RuleTest(
        rule=candidate.rule.id,
        parameters=candidate.rule.written(values),
        since=None if since is None else format_time(since),
        until=format_time(until),
        records=backtest.records,
        unreadable=unreadable,
        failures=candidate.failures,
        failure=candidate.failure or None,
        **backtest.counts()._asdict(),
        by_country=[
            RuleTestCountry(country=name, **counts._asdict())
            for name, counts in backtest.by_country().items()
        ],
        by_hour=[
            RuleTestHour(hour=name, **counts._asdict())
            for name, counts in backtest.by_hour().items()
        ],
        examples=[
            RuleTestOrder(**one._asdict(), link=_link(one)) for one in backtest.examples(limit)
        ],
    )


def _link(example: Example) -> str:
    """Where the page of a worker with these settings shows the order."""
    host = of_worker.web.host
    if host in ANY_ADDRESS:
        host = "localhost"
    place = f"[{host}]" if ":" in host else host
    return f"http://{place}:{app.conf.web_port}/#/orders/{example.order_id}"


def report_as_text(found: RuleTest) -> str:
    """The same for people."""
    return "\n".join(_lines(found))


def _lines(found: RuleTest) -> Iterator[str]:
    yield printable(f"{found.rule} {settings(found.parameters)}".rstrip())
    share = found.raised / found.records
    yield f"{found.records:,} orders, {found.raised:,} of them raised ({share:.2%})"
    if found.unreadable:
        yield f"{found.unreadable:,} records that are no orders"
    if found.failures:
        yield printable(f"{found.failures:,} without a verdict; the first: {found.failure}")
    rows: list[tuple[str, RuleTestCounts]] = [("all", found)]
    rows += [(printable(one.country), one) for one in found.by_country]
    rows += [(one.hour, one) for one in found.by_hour[:HOURS]]
    width = max(len(name) for name, _ in rows)
    yield " " * width + "".join(f"{name:>10}" for name in COUNTED)
    for name, counts in rows:
        yield f"{name:<{width}}" + "".join(f"{getattr(counts, of):>10,}" for of in COUNTED)
    for one in found.examples:
        about = f"{one.amount:.2f} from {one.country}, customer {one.customer_id}"
        detail = f", {one.detail}" if one.detail else ""
        yield printable(f"{one.created_at[:19]}Z  {about}{detail}  {one.link}")
