"""`GET /api/stats`: totals, rates and progress, read at most once a second for all clients."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from orderapp.app import app, store
from orderapp.engine.dead_letters.unresolved import OpenLetters
from orderapp.engine.health.lag import Look, Position
from orderapp.models import format_time
from orderapp.store import Activity, CountryStats, Stats
from orderapp.web.api import progress
from orderapp.web.api.answers import Overview, Progress, Rates
from orderapp.web.api.routes import Answer, Route, json, serve

#: Seconds of activity that are shown, in spans of so many seconds.
HISTORY, SPAN = 3600, 10
#: Countries that are shown by themselves, and the name of what sums up the rest.
MOST_COUNTRIES, OTHERS = 100, "all others"
#: Seconds for which an answer is good.
FRESH = 1.0

ROUTE = Route(
    "GET",
    "/api/stats",
    "Totals and rates as they were at `at`, and how far the services are. A second old at "
    "most; totals of Couchbase up to ten times as old as it takes to count them.",
    {200: Answer("Totals and rates.", Overview)},
    errors=(503,),
)


class _Shared:
    """One read at a time, shared by all who ask meanwhile and in the next second."""

    def __init__(self) -> None:
        self._reading: asyncio.Task[bytes] | None = None
        self._until = 0.0

    async def get(self) -> bytes:
        """The answer's JSON."""
        if self._reading is None or (self._reading.done() and time.monotonic() > self._until):
            self._reading = asyncio.create_task(self._read())
            # Looked at: whoever asked may have given up meanwhile.
            self._reading.add_done_callback(lambda t: t.cancelled() or t.exception())
        return await asyncio.shield(self._reading)

    async def _read(self) -> bytes:
        try:
            return await _read()
        finally:
            self._until = time.monotonic() + FRESH

    def forget(self) -> None:
        """Read anew at the next request."""
        self._reading = None


shared = _Shared()
letters = OpenLetters(lambda: app.cluster, "orders-dlq")
app.resources.append(letters)
app.topic_listeners.append(lambda _: letters.begin_anew())


@serve(ROUTE)
async def stats(request: web.Request) -> web.Response:
    """See `ROUTE`."""
    return json(await shared.get())


async def _read() -> bytes:
    moment = time.time()
    since = int(moment) // SPAN * SPAN - HISTORY
    found, look, dead = await asyncio.gather(
        store.stats(since), progress.look(), letters.count()
    )
    return msgspec.json.encode(overview(found, look, dead, moment))


def overview(
    found: Stats, look: Look | None, dead_letters: int | None, moment: float
) -> Overview:
    """The answer at a moment (Unix time in s), or at the one when the store counted."""
    moment = moment if found.counted is None else found.counted
    total = _sum("", found.countries)
    return Overview(
        at=format_time(datetime.fromtimestamp(moment, UTC)),
        orders=total.orders,
        alerts=total.alerts,
        paid=total.paid,
        declined=total.declined,
        fraud_rate=round(total.alerts / total.orders, 4) if total.orders else 0.0,
        revenue=total.revenue,
        countries=_largest(found.countries),
        orders_per_second=Rates(*(rate(found.activity, moment, n) for n in (1, 5, 15))),
        activity=found.activity,
        services=None if look is None else _services(look),
        open_transactions=None if look is None else _open_transactions(look),
        dead_letters=dead_letters,
    )


def _largest(countries: Sequence[CountryStats]) -> Sequence[CountryStats]:
    """Those with the most orders, and one for the rest: whoever sends orders makes countries
    up."""
    if len(countries) <= MOST_COUNTRIES:
        return countries
    ranked = sorted(countries, key=lambda country: country.orders, reverse=True)
    return [*ranked[:MOST_COUNTRIES], _sum(OTHERS, ranked[MOST_COUNTRIES:])]


def _sum(name: str, countries: Sequence[CountryStats]) -> CountryStats:
    return CountryStats(
        name,
        sum(c.orders for c in countries),
        sum(c.alerts for c in countries),
        sum(c.paid for c in countries),
        sum(c.declined for c in countries),
        round(sum(c.revenue for c in countries), 2),
    )


def rate(activity: Sequence[Activity], moment: float, minutes: int) -> float:
    """Orders/s in the whole spans of the last minutes; the one that runs is left out."""
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
