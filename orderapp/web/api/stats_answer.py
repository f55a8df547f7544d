"""The body of `GET /api/stats`."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderapp.engine.observe.times import Time
from orderapp.store import Activity, CountryStats
from orderapp.web.api.rule_figures import RuleFigures


class Progress(msgspec.Struct, frozen=True):
    """How far a service is: records that wait, and the age of the oldest of them. `group` and
    `lag` are null when no consumer group of the service is known to Kafka."""

    group: str | None
    lag: int | None
    oldest_seconds: float | None


class Rates(msgspec.Struct, frozen=True):
    """Orders/s over the last minutes."""

    one: float = msgspec.field(name="1m")
    five: float = msgspec.field(name="5m")
    fifteen: float = msgspec.field(name="15m")


class OtherCountries(msgspec.Struct, frozen=True):
    """The sum of the countries that are not listed, and how many they are."""

    number: int
    orders: int
    alerts: int
    paid: int
    declined: int
    revenue: float


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Totals, rates and progress; what only Kafka knows is null when it can't be asked.

    `countries` are the 100 with the most orders, and `other_countries` sums up the rest, null
    if there are no more. `open_transactions` has, by topic, the age in seconds of the oldest
    transaction that holds records back, where there is one. `dead_letters` are the open ones,
    among the last 10,000 of each partition, as `/api/dead-letters?status=open` has them, and
    `dead_letter_orders` how many orders they are about that are stored, as
    `/api/orders?status=dead_letter` lists them.

    `rules` are those that are not off; unlike all else here each worker counts them for itself,
    and they are null in one without fraud. `faults` are what is broken on purpose, and how
    much."""

    status: Literal["ok"] = "ok"
    at: Time
    orders: int
    alerts: int
    paid: int
    declined: int
    fraud_rate: float
    revenue: float
    countries: Sequence[CountryStats]
    other_countries: OtherCountries | None
    orders_per_second: Rates
    activity: Sequence[Activity]
    services: dict[str, Progress] | None
    open_transactions: dict[str, float] | None
    dead_letters: int | None
    dead_letter_orders: int | None
    rules: Sequence[RuleFigures] | None
    faults: dict[str, float]
