"""`GET /api/history`: latency and lag over the last hour, from one sample a minute."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import msgspec
from aiohttp import web
from mode import Service

from orderapp.app import app, settings
from orderapp.engine.health.lag import Look
from orderapp.engine.observe import cloudwatch
from orderapp.engine.observe.metrics import END_TO_END
from orderapp.engine.observe.times import Time, iso_at
from orderapp.web.api import progress
from orderapp.web.api.routes import Answer, Route, json, serve

#: Seconds from one sample to the next, and how many are kept: an hour's.
EVERY, KEPT = 60.0, 61
#: What CloudWatch calls the records that wait for a group.
LAG_METRIC = "ConsumerLag"
#: What is measured: a service's records of a topic, from their Kafka timestamp on.
STORED, PAID = ("analytics", "orders"), ("payment", "orders")

#: Records by age, as `Ages.counts` has them.
Counts = Sequence[int]


class Latency(msgspec.Struct, frozen=True):
    """Seconds from an order's Kafka timestamp, as half of the orders, or 99 of 100, took at
    most; null while there are none. An age is known to the next of the bounds that
    `orderapp_end_to_end_seconds` has, within which it is estimated; 1800 is also what took
    longer."""

    p50: float | None
    p99: float | None
    orders: int


class Minute(msgspec.Struct, frozen=True):
    """A minute that ended at `at`; `lag` has the records that wait then, by service, and is
    null where Kafka did not say it."""

    at: Time
    stored: Latency | None
    paid: Latency | None
    lag: dict[str, int | None] | None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The last hour, or since this worker's start (`since`). Latency is that of the orders that
    this worker itself has stored and paid, null where it does not run the service; lag is that
    of all workers."""

    since: Time
    stored: Latency | None
    paid: Latency | None
    minutes: Sequence[Minute]
    status: Literal["ok"] = "ok"


@dataclass(frozen=True)
class Sample:
    """What was counted at a moment (Unix time in s)."""

    at: float
    counts: Mapping[tuple[str, ...], Counts]
    lag: dict[str, int | None] | None


class Samples(Service):
    """Takes a sample each minute; between two of them it does nothing."""

    def __init__(self) -> None:
        #: The oldest first.
        self.kept: deque[Sample] = deque(maxlen=KEPT)
        super().__init__()

    async def on_start(self) -> None:
        """Begin with what is counted now; Kafka is asked later."""
        self.kept.append(Sample(time.time(), END_TO_END.counts(), None))

    @Service.task
    async def _repeat(self) -> None:
        while not self.should_stop:
            await self.sleep(EVERY)
            await self.take()

    async def take(self) -> None:
        """Take one."""
        look = await progress.look()
        lag = None
        if look is not None:
            found = look.services.items()
            lag = {name: None if at is None else at.lag for name, at in found}
            if settings.web.lag_namespace:
                publish(settings.web.lag_namespace, look)
        self.kept.append(Sample(time.time(), END_TO_END.counts(), lag))


def publish(namespace: str, look: Look) -> None:
    """Tell CloudWatch how many records wait for each group."""
    for position in filter(None, look.services.values()):
        group = position.group
        cloudwatch.publish(namespace, LAG_METRIC, position.lag, look.at, group=group)


samples = Samples()
app.resources.append(samples)


@serve(
    Route(
        "GET",
        "/api/history",
        "The last hour, minute by minute: how long orders took in this worker until they were "
        "stored and until they were paid, and how far the services of all workers were behind.",
        {200: Answer("The last hour.", History)},
    )
)
async def history(request: web.Request) -> web.Response:
    kept = [*samples.kept] or [Sample(time.time(), {}, None)]
    # In a thread: it is some arithmetic, and nobody waits for it.
    return json(await asyncio.to_thread(history_of, kept, END_TO_END.counts()))


def history_of(kept: Sequence[Sample], now: Mapping[tuple[str, ...], Counts]) -> History:
    """The answer, with what was counted since the last sample in its sums."""
    first = kept[0]
    return History(
        since=iso_at(first.at),
        stored=_latency(STORED, first.counts, now),
        paid=_latency(PAID, first.counts, now),
        minutes=[
            Minute(
                iso_at(after.at),
                _latency(STORED, before.counts, after.counts),
                _latency(PAID, before.counts, after.counts),
                after.lag,
            )
            for before, after in pairwise(kept)
        ],
    )


def _latency(
    what: tuple[str, str],
    before: Mapping[tuple[str, ...], Counts],
    after: Mapping[tuple[str, ...], Counts],
) -> Latency | None:
    """Of the records between two samples; None where nothing of it was ever counted."""
    if what not in after:
        return None
    old = before.get(what) or [0] * len(after[what])
    found = [now - then for then, now in zip(old, after[what], strict=True)]
    return Latency(quantile(found, 0.5), quantile(found, 0.99), sum(found))


def quantile(counts: Counts, share: float) -> float | None:
    """The age that `share` of the records did not exceed, estimated within its bucket."""
    wanted, passed, lower = share * sum(counts), 0, 0.0
    if not wanted:
        return None
    for count, bound in zip(counts, END_TO_END.bounds, strict=False):
        if count and passed + count >= wanted:
            return round(lower + (bound - lower) * (wanted - passed) / count, 4)
        passed, lower = passed + count, bound
    return lower
