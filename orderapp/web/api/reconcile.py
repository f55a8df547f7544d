"""`GET` and `POST /api/reconcile`: whether the topics and the store agree, as last checked."""

import time
from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web

from orderapp.engine.observe.times import Time, iso_at
from orderapp.web.api.checks import Checked, FailedCheck, checker
from orderapp.web.api.routes import Answer, Route, json, serve

#: Seconds after which a result is old, where checks are not repeated; else after two turns.
OLD = 86_400.0


class Disagreement(msgspec.Struct, frozen=True):
    """How many orders or records disagree in one way (as `reconcile --json` calls it), and the
    first ten: order ids, or places as `topic[partition]@offset`."""

    name: str
    count: int
    examples: Sequence[int | str]


class Reconciled(msgspec.Struct, frozen=True):
    """What a check came to: `agree`; `disagree`; all agree, but records were `lost`, or
    `dead_letters` are open. `is_old` says that it is from so long ago that it may not hold any
    more."""

    at: Time
    age_seconds: float
    is_old: bool
    took_seconds: float
    result: Literal["agree", "disagree", "lost", "dead_letters"]
    orders: int
    lost: int
    disagreements: Sequence[Disagreement]


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """The last check of this worker, and the last one that failed, if it was after that.
    `every_seconds` is null where it does not repeat them; `waiting` means that one is due, and
    the services are not idle."""

    last: Reconciled | None
    failed: FailedCheck | None
    running: bool
    waiting: bool
    every_seconds: float | None
    status: Literal["ok"] = "ok"


@serve(
    Route(
        "GET",
        "/api/reconcile",
        "What the last check of all orders came to, in this worker, and how old that is.",
        {200: Answer("The last check.", Reconcile)},
    )
)
async def last(request: web.Request) -> web.Response:
    return json(_status())


@serve(
    Route(
        "POST",
        "/api/reconcile",
        "Check all orders now, as the command `reconcile` does; one that is running goes on. A "
        "worker checks up to a million records.",
        {202: Answer("It is running; `GET` says what came of it.", Reconcile)},
        guarded=True,
    )
)
async def check(request: web.Request) -> web.Response:
    checker.begin()
    return json(_status(), 202)


def _status() -> Reconcile:
    return Reconcile(
        last=_reconciled(checker.checked) if checker.checked else None,
        failed=checker.failed,
        running=checker.is_running,
        waiting=checker.is_waiting,
        every_seconds=checker.every or None,
    )


def _reconciled(found: Checked) -> Reconciled:
    age = max(0.0, time.time() - found.at)
    report = found.report
    return Reconciled(
        at=iso_at(found.at),
        age_seconds=round(age, 1),
        is_old=age > (2 * checker.every + found.seconds if checker.every else OLD),
        took_seconds=round(found.seconds, 1),
        result=report.status,
        orders=report.orders,
        lost=report.lost.records,
        disagreements=[
            Disagreement(name, one.count, one.examples)
            for name, one in report.disagreements.items()
            if one.count
        ],
    )
