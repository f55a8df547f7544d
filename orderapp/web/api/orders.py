"""The orders that are stored: the last ones, page by page, and one with its story."""

import asyncio

import msgspec
from aiohttp import web

from orderapp.app import store
from orderapp.web.api import parameters as read
from orderapp.web.api import prefer, progress
from orderapp.web.api.answers import Fraud, OneOrder, Orders, Page, detailed
from orderapp.web.api.arrivals import arrivals
from orderapp.web.api.joined import Joined
from orderapp.web.api.known_letters import look_for
from orderapp.web.api.listed import listed
from orderapp.web.api.order_pages import FILTERS, read_page, read_query
from orderapp.web.api.routes import PATIENCE, Answer, Route, json, serve
from orderapp.web.api.timeline import timeline
from orderapp.web.api.unjudged import in_words, unjudged
from orderapp.web.server.problems import Problem

DEFAULT_LIMIT, DEFAULT_PAGE = 10, 50


@serve(
    Route(
        "GET",
        "/api/analytics",
        "The last orders, newest first.",
        {200: Answer("The last orders.", Orders)},
        parameters=(read.limit(DEFAULT_LIMIT),),
        errors=(503,),
    )
)
async def analytics(request: web.Request) -> web.Response:
    return json(await newest.get(read.read_limit(request.query, DEFAULT_LIMIT)))


async def _read_newest(limit: int) -> bytes:
    stories = await store.latest(limit)
    await look_for(*stories)
    return msgspec.json.encode(Orders([listed(story) for story in stories]))


newest = Joined(_read_newest)


@serve(
    Route(
        "GET",
        "/api/orders",
        "Orders, newest first, page by page.",
        {200: Answer("A page of orders, and where the next one begins.", Page)},
        parameters=(read.limit(DEFAULT_PAGE), read.AFTER, *FILTERS),
        errors=(503,),
    )
)
async def orders(request: web.Request) -> web.Response:
    limit = read.read_limit(request.query, DEFAULT_PAGE)
    return json(await read_page(read_query(request.query, limit)))


@serve(
    Route(
        "GET",
        "/api/orders/{order_id}",
        "One order with its whole story.",
        {200: Answer("The order, what the services found, and its timeline.", OneOrder)},
        parameters=(read.ORDER_ID, prefer.PARAMETER),
        errors=(404, 503),
    ),
    seconds=prefer.LONGEST_WAIT + 2 * PATIENCE,
)
async def order(request: web.Request) -> web.Response:
    """One order with its story; with `Prefer: wait=N` as soon as it is stored."""
    order_id, wait = read.read_order_id(request), prefer.read_wait(request)
    headers: dict[str, str] = {}
    async with asyncio.timeout(PATIENCE) as limit:
        judged_until = dict(progress.judged_until)
        story = await store.story(order_id)
        if wait is not None and arrivals.has_room():
            headers = prefer.applied(wait)
            if story is None:
                limit.reschedule(None)
                await arrivals.wait(order_id, wait)
                limit.reschedule(asyncio.get_running_loop().time() + PATIENCE)
                story = await store.story(order_id)
        if story is None:
            text = f"order {order_id} is not known; it may not be stored yet"
            raise Problem(404, text, headers=headers)
        fraud = await progress.fraud_of(story)
        if fraud.verdict == "CLEAR" and not progress.was_judged(story.order, judged_until):
            # What fraud has found may have been stored after the story was read.
            story = await store.story(order_id) or story
            fraud = await progress.fraud_of(story)
        await look_for(story)
    failed = unjudged(story) if fraud.verdict in {"ALERT", "CLEAR"} else {}
    if failed and fraud.verdict == "CLEAR":
        fraud = Fraud("UNKNOWN", in_words(failed))
    steps = timeline(story, fraud, failed)
    return json(OneOrder(detailed(story, fraud, steps)), headers=headers)
