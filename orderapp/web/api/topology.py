"""`GET /api/topology`: what is connected with what. Nothing is asked while nobody looks."""

import asyncio
import time

import msgspec
from aiohttp import web

from orderapp.app import store
from orderapp.engine.health.lag import LagUnknownError, Look
from orderapp.models import now
from orderapp.store import StoreError
from orderapp.web.api import progress
from orderapp.web.api.flow import (
    Rates,
    Sizes,
    flow_services,
    flow_topics,
    store_kind,
    topic_names,
)
from orderapp.web.api.routes import Answer, Route, json, serve
from orderapp.web.api.shared import Shared
from orderapp.web.api.topology_answer import FlowStore, Topology

#: Seconds for which an answer is good, and for all questions that it takes.
FRESH, PATIENCE = 1.5, 1.5

_rates = Rates()


@serve(
    Route(
        "GET",
        "/api/topology",
        "The topics, services and the store, how they are connected, messages/s, lag, and the "
        "members of each service's group. What can't be read in time is null, with the reason.",
        {200: Answer("The topology.", Topology)},
    )
)
async def topology(request: web.Request) -> web.Response:
    return json(await shared.get())


async def _read() -> bytes:
    answers, (look, sizes) = await asyncio.gather(_store_answers(), _ask_kafka())
    rates: dict[str, float] = {}
    unknown = []
    if look is None:
        unknown.append("lag and members: Kafka did not say them in time")
    if sizes is None:
        unknown.append("sizes and rates of topics: Kafka did not say them in time")
    else:
        rates = _rates.take(sizes, time.monotonic())
        if missing := {*topic_names()} - {tp.topic for tp in sizes}:
            unknown.append(f"{', '.join(sorted(missing))}: not there, or may not be seen")
        if not rates:
            unknown.append("rates: this was the first look for a minute; ask again")
    return msgspec.json.encode(
        Topology(
            at=now(),
            topics=flow_topics(sizes, rates),
            services=flow_services(look, sizes),
            store=FlowStore(store_kind(), answers),
            unknown=unknown,
        )
    )


async def _ask_kafka() -> tuple[Look | None, Sizes | None]:
    """How far everyone is, and how large the topics are; None for what was not said in time."""
    look, sizes = None, None
    try:
        async with asyncio.timeout(PATIENCE):
            look = await progress.look()
            sizes = await progress.monitor.sizes(topic_names())
    except (LagUnknownError, TimeoutError):
        pass
    return look, sizes


async def _store_answers() -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await store.ping()
    except (StoreError, TimeoutError):
        return False
    return True


shared = Shared(_read, FRESH)
