"""The orders that are stored: the last ones, page by page, and one with its story."""

import msgspec
from aiohttp import web

from orderapp.app import store
from orderapp.store import OrderQuery
from orderapp.web.api import parameters as read
from orderapp.web.api.answers import OneOrder, Orders, Page, detailed
from orderapp.web.api.joined import Joined
from orderapp.web.api.listed import listed
from orderapp.web.api.progress import fraud_of
from orderapp.web.api.routes import Answer, Route, json, serve
from orderapp.web.api.timeline import timeline
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
    """The last orders, newest first."""
    return json(await newest.get(read.read_limit(request.query, DEFAULT_LIMIT)))


async def _read_newest(limit: int) -> bytes:
    stories = await store.latest(limit)
    return msgspec.json.encode(Orders([listed(story) for story in stories]))


newest = Joined(_read_newest)


@serve(
    Route(
        "GET",
        "/api/orders",
        "Orders, newest first, page by page.",
        {200: Answer("A page of orders, and where the next one begins.", Page)},
        parameters=(read.limit(DEFAULT_PAGE), read.AFTER, read.COUNTRY, read.STATUS),
        errors=(503,),
    )
)
async def orders(request: web.Request) -> web.Response:
    """A page of orders."""
    query = request.query
    page = await store.page(
        OrderQuery(
            limit=read.read_limit(query, DEFAULT_PAGE),
            after=read.read_after(query),
            country=read.read_country(query),
            status=read.read_status(query),
        )
    )
    return json(Page([listed(story) for story in page.stories], read.cursor(page.after)))


@serve(
    Route(
        "GET",
        "/api/orders/{order_id}",
        "One order with its whole story.",
        {200: Answer("The order, what the services found, and its timeline.", OneOrder)},
        parameters=(read.ORDER_ID,),
        errors=(404, 503),
    )
)
async def order(request: web.Request) -> web.Response:
    """One order with its story."""
    order_id = read.read_order_id(request)
    story = await store.story(order_id)
    if story is None:
        raise Problem(404, f"order {order_id} is not known; it may not be stored yet")
    fraud = await fraud_of(story)
    return json(OneOrder(detailed(story, fraud, timeline(story, fraud))))
