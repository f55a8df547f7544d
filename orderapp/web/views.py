"""The API and the dashboard."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from faust.web import View

from orderapp.app import app, store
from orderapp.store import OrderStory
from orderapp.web.middleware import error

STATIC = Path(__file__).parent / "static"

#: Seconds until a store that does not answer is answered for, with 503.
STORE_PATIENCE = 1.8
DEFAULT_LIMIT, MAX_LIMIT = 10, 100

app.web.add_static("/static", STATIC)


def order_json(story: OrderStory) -> dict[str, Any]:
    """An order as the API shows it: its document, its alerts and its payment."""
    return {
        **msgspec.to_builtins(story.order),
        "alerts": msgspec.to_builtins(story.alerts),
        "payment": msgspec.to_builtins(story.payment),
    }


@app.page("/")
async def dashboard(view: View, request: Any) -> web.FileResponse:
    """The dashboard, one static page."""
    return web.FileResponse(STATIC / "index.html")


@app.page("/api/analytics")
async def analytics(view: View, request: Any) -> web.Response:
    """The last orders, newest first."""
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= limit <= MAX_LIMIT:
        return error(400, f"limit={text!r} is not allowed: a number from 1 to {MAX_LIMIT}")
    async with asyncio.timeout(STORE_PATIENCE):
        stories = await store.latest(limit)
    return web.json_response({"status": "ok", "orders": [order_json(story) for story in stories]})


@app.page("/api/orders/{order_id}")
async def order(view: View, request: Any, order_id: str) -> web.Response:
    """One order with its alerts and its payment."""
    if not (order_id.isascii() and order_id.isdigit() and int(order_id) < 2**53):
        return error(400, f"order id {order_id[:64]!r} is not allowed: a number below 2^53")
    async with asyncio.timeout(STORE_PATIENCE):
        story = await store.story(int(order_id))
    if story is None:
        return error(404, f"order {order_id} is not known")
    return web.json_response({"status": "ok", "order": order_json(story)})
