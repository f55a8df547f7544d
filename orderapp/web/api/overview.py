"""What the store counted and how far the services are, as one answer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from orderapp.engine.health.lag import Look, Position
from orderapp.models import format_time
from orderapp.store import Activity, CountryStats, Stats
from orderapp.web.api.rule_figures import RuleFigures
from orderapp.web.api.stats_answer import OtherCountries, Overview, Progress, Rates

#: Seconds of a span of activity.
SPAN = 10
#: Countries that are shown by themselves: senders may make up any number.
MOST_COUNTRIES = 100


class OpenLetters(NamedTuple):
    """How many dead letters are open, and how many orders that are stored have one."""

    letters: int
    orders: int


def overview(
    found: Stats,
    look: Look | None,
    dead: OpenLetters | None,
    moment: float,
    rules: Sequence[RuleFigures] | None = None,
    faults: Mapping[str, float] = MappingProxyType({}),
) -> Overview:
    """The answer at a moment (Unix time in s), or at the one when the store counted."""
    moment = moment if found.counted is None else found.counted
    total = _sum(found.countries)
    ranked = sorted(found.countries, key=lambda country: country.orders, reverse=True)
    others = ranked[MOST_COUNTRIES:]
    return Overview(
        at=format_time(datetime.fromtimestamp(moment, UTC)),
        orders=total.orders,
        alerts=total.alerts,
        paid=total.paid,
        declined=total.declined,
        fraud_rate=round(total.alerts / total.orders, 4) if total.orders else 0.0,
        revenue=total.revenue,
        countries=ranked[:MOST_COUNTRIES],
        other_countries=_sum(others) if others else None,
        orders_per_second=Rates(*(rate(found.activity, moment, n) for n in (1, 5, 15))),
        activity=found.activity,
        services=None if look is None else _services(look),
        open_transactions=None if look is None else _open_transactions(look),
        dead_letters=None if dead is None else dead.letters,
        dead_letter_orders=None if dead is None else dead.orders,
        rules=rules,
        faults=dict(faults),
    )


def _sum(countries: Sequence[CountryStats]) -> OtherCountries:
    return OtherCountries(
        len(countries),
        sum(c.orders for c in countries),
        sum(c.alerts for c in countries),
        sum(c.paid for c in countries),
        sum(c.declined for c in countries),
        round(sum(c.revenue for c in countries), 2),
    )


def rate(activity: Sequence[Activity], moment: float, minutes: int) -> float:
    """Orders/s in the complete spans of the last minutes; the current one is left out."""
    end = int(moment) // SPAN * SPAN
    begin = end - minutes * 60
    return round(sum(a.orders for a in activity if begin <= a.start < end) / (end - begin), 3)


def _services(look: Look) -> dict[str, Progress]:
    return {name: _progress(position, look) for name, position in look.services.items()}


def _open_transactions(look: Look) -> dict[str, float]:
    oldest: dict[str, int] = {}
    for tp, opened in look.opened.items():
        oldest[tp.topic] = min(opened, oldest.get(tp.topic, opened))
    return {topic: _age(opened, look) for topic, opened in oldest.items()}


def _age(moment: int, look: Look) -> float:
    return round(max(0.0, look.at - moment / 1000), 3)


def _progress(position: Position | None, look: Look) -> Progress:
    if position is None:
        return Progress(None, None, None)
    age = None if position.oldest is None else _age(position.oldest, look)
    return Progress(position.group, position.lag, age)
