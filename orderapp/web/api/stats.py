"""`GET /api/stats`: totals, rates and progress, read at most once a second for all clients."""

import asyncio
import time

import msgspec
from aiohttp import web

from orderapp.app import settings, store
from orderapp.web.api import progress
from orderapp.web.api.known_letters import letters, open_orders
from orderapp.web.api.overview import SPAN, OpenLetters, overview
from orderapp.web.api.routes import Answer, Route, json, serve
from orderapp.web.api.rule_figures import rule_figures
from orderapp.web.api.shared import Shared
from orderapp.web.api.stats_answer import Overview

#: Seconds of activity that are shown.
HISTORY = 3600
#: Seconds for which an answer is good.
FRESH = 1.0

ROUTE = Route(
    "GET",
    "/api/stats",
    "Totals and rates as they were at `at`, and how far the services are. A second old at "
    "most; totals of Couchbase up to ten times as old as a round of counting takes.",
    {200: Answer("Totals and rates.", Overview)},
    errors=(503,),
)


@serve(ROUTE)
async def stats(request: web.Request) -> web.Response:
    return json(await shared.get())


async def _read() -> bytes:
    moment = time.time()
    since = int(moment) // SPAN * SPAN - HISTORY
    found, look, is_known = await asyncio.gather(
        store.stats(since), progress.look(), letters.look()
    )
    dead = None
    if is_known:
        dead = OpenLetters(sum(one.is_open for one in letters.letters), len(open_orders()))
    return msgspec.json.encode(
        overview(found, look, dead, moment, rule_figures(), settings.faults.on())
    )


shared = Shared(_read, FRESH)
