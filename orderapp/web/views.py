"""The API and the dashboard."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from faust.web import View

from orderapp.app import app, store
from orderapp.store import OrderStory

STATIC = Path(__file__).parent / "static"

#: Seconds until a store that does not answer is answered for, with 503.
STORE_PATIENCE = 1.8
DEFAULT_LIMIT, MAX_LIMIT = 10, 100

app.web.add_static("/static", STATIC)


def error(view: View, status: int, text: str) -> Any:
    """An error answer."""
    return view.json({"status": "error", "error": text}, status=status)


def order_json(story: OrderStory) -> dict[str, Any]:
    """An order as the API shows it: its document, its alerts and its payment."""
    return {
        **msgspec.to_builtins(story.order),
        "alerts": msgspec.to_builtins(story.alerts),
        "payment": msgspec.to_builtins(story.payment),
    }


@app.page("/")
async def dashboard(view: View, request: Any) -> Any:
    """The dashboard, one static page."""
    return web.FileResponse(STATIC / "index.html")


@app.page("/api/analytics")
async def analytics(view: View, request: Any) -> Any:
    """The last orders, newest first."""
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= limit <= MAX_LIMIT:
        return error(
            view, 400, f"limit={text!r} is not allowed: a number from 1 to {MAX_LIMIT}"
        )
    async with asyncio.timeout(STORE_PATIENCE):
        stories = await store.latest(limit)
    return view.json({"status": "ok", "orders": [order_json(story) for story in stories]})


@app.page("/api/orders/{order_id}")
async def order(view: View, request: Any, order_id: str) -> Any:
    """One order with its alerts and its payment."""
    if not (order_id.isascii() and order_id.isdigit() and int(order_id) < 2**53):
        return error(
            view, 400, f"order id {order_id[:64]!r} is not allowed: a number below 2^53"
        )
    async with asyncio.timeout(STORE_PATIENCE):
        story = await store.story(int(order_id))
    if story is None:
        return error(view, 404, f"order {order_id} is not known")
    return view.json({"status": "ok", "order": order_json(story)})
