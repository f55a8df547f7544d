"""Health: every worker answers these, whatever it runs."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web

from orderapp.app import app, settings, store
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import standing_still
from orderapp.store import StoreError
from orderapp.web.api.routes import Answer, Route, json, serve

logger = logging.getLogger(__name__)

#: Seconds that the store has to answer.
STORE_PATIENCE = 1.5
UNREACHED, NO_ANSWER = "Kafka is not reachable yet", "store: does not answer"
#: How many pieces of work that stand still are named.
NAMED = 3


class Healthy(msgspec.Struct, frozen=True):
    """All is well."""

    status: Literal["ok"] = "ok"


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """Work waits, and nothing is done."""

    status: Literal["stalled"] = "stalled"
    reason: str


class NotReady(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps the worker from its work; `starting` while it has not had all of it yet."""

    status: Literal["unavailable"] = "unavailable"
    missing: Sequence[str]
    starting: bool


@serve(
    Route(
        "GET",
        "/healthz",
        "Whether this worker is alive; asks nothing of Kafka or the store.",
        {200: Answer("It is.", Healthy), 503: Answer("It makes no progress.", Stalled)},
    )
)
async def healthz(request: web.Request) -> web.Response:
    """Alive: work that waits is being done. Asks nothing of Kafka or the store, so that their
    absence restarts no worker; but for one that has never had them, where a setting says so."""
    stalled = app.watch.stalled or _start.overdue()
    if stalled:
        return json(Stalled(reason=stalled), 503)
    return json(Healthy())


@serve(
    Route(
        "GET",
        "/readyz",
        "Whether this worker can do its work.",
        {200: Answer("It can.", Healthy), 503: Answer("What is `missing`.", NotReady)},
    )
)
async def readyz(request: web.Request) -> web.Response:
    """200 while this worker can do its work, else 503 with what is missing."""
    missing = [reason for reason in (_kafka(), await _store()) if reason]
    missing += [*blocked.reasons, *_standing_still()]
    if missing:
        return json(NotReady(missing=missing, starting=_start.lasts()), 503)
    return json(Healthy())


class _Start:
    """Whether this worker has ever had what it needs. One whose settings lead nowhere never
    does: where a deployment would wait for that, it is to see a worker that is not healthy."""

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._began = time.monotonic()
        self._is_over = False
        self._had_all = False

    def lasts(self) -> bool:
        """Whether Kafka, partitions and the store have never been there at once, as far as
        anybody has asked: what is missing then is no failure."""
        self._had_all |= (
            app.ready
            and (not app.agents or app.has_partitions())
            and (store not in app.resources or store.has_opened)
        )
        return not self._had_all

    def overdue(self) -> str | None:
        """What has been missing since the start, when that is too long."""
        waited = time.monotonic() - self._began
        if self._is_over or self._limit is None:
            return None
        missing = [*blocked.reasons]
        if not app.ready:
            missing.append(UNREACHED)
        if store in app.resources and not store.has_opened:
            missing.append(NO_ANSWER)
        self._is_over = not missing
        if not missing or waited < self._limit:
            return None
        return f"never ready for {waited:.0f} s: {', '.join(missing)}"


_start = _Start(settings.ready_seconds)


def _kafka() -> str | None:
    if not app.ready:
        return UNREACHED
    if not app.watch.kafka_answers:
        return "Kafka does not answer"
    if not app.agents:
        return None
    if app.rebalancing or not app.has_partitions():
        return "no partitions are assigned"
    return None


async def _store() -> str | None:
    if store not in app.resources:
        return None
    try:
        async with asyncio.timeout(STORE_PATIENCE):
            await store.ping()
    except (StoreError, TimeoutError) as error:
        _told.tell(str(error) or f"no answer within {STORE_PATIENCE:g} s")
        return NO_ANSWER
    _told.tell(None)
    return None


def _standing_still() -> list[str]:
    # A store that answers may still refuse what is to be written.
    found = sorted(standing_still)
    lines = [f"stands still: {what}" for what in found[:NAMED]]
    return [*lines, f"and {len(found) - NAMED} more"] if len(found) > NAMED else lines


class _Told:
    """Says in the log why the store is not ready: its text names files or hosts, which are not
    for everybody who may ask. Once, and not at every probe; until it has answered for the first
    time, it is the keeper of the store that says so."""

    def __init__(self) -> None:
        self._has_answered = False
        self._reason: str | None = None

    def tell(self, reason: str | None) -> None:
        self._has_answered |= reason is None
        if reason == self._reason or not self._has_answered:
            return
        self._reason = reason
        if reason is None:
            logger.info("the store answers again")
        else:
            logger.warning("not ready: the store does not answer: %s", reason)


_told = _Told()
