"""What a backtest comes to: as `rules test --json` prints it, and the API answers it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from orderapp.engine.observe.times import Time

#: How the command's complaint begins when there was nothing to judge.
NO_ORDERS = "there are no orders"


class RuleTestCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders the rule would have `raised`; of these, what the active rules raise too
    as they are (`already`), and the others (`new`); and what the rule itself raises as it is,
    and would no longer (`gone`)."""

    raised: int
    already: int
    new: int
    gone: int


class RuleTestCountry(RuleTestCounts, frozen=True, kw_only=True):
    """The same of one country."""

    country: str


class RuleTestHour(RuleTestCounts, frozen=True, kw_only=True):
    """The same of one hour of the orders' own times, in UTC: `2026-11-23T18:00Z`."""

    hour: str


class RuleTestOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that would have been raised, and where the page shows it."""

    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: Time
    detail: str
    link: str


class RuleTest(RuleTestCounts, frozen=True, kw_only=True):
    """What a rule would have raised with these parameters, of the orders whose records have a
    Kafka timestamp from `since` (null: all) to `until`. `records` of them were judged; of
    `failures`, which the rule could not judge, `failure` is the first; `unreadable` are no
    orders. By country: the 50 with most; by hour: the last 744, the latest first. The examples
    are the latest, those that nobody raises now first."""

    rule: str
    parameters: dict[str, Any]
    since: Time | None
    until: Time
    records: int
    unreadable: int
    failures: int
    failure: str | None
    by_country: Sequence[RuleTestCountry]
    by_hour: Sequence[RuleTestHour]
    examples: Sequence[RuleTestOrder]
