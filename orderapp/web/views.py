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
MAX_ID = 2**53 - 1

app.web.add_static("/static", STATIC)


def number(text: str, least: int, most: int) -> int | None:
    """`text` as a number from `least` to `most`, None if it is no such number."""
    # Bounded before it is converted: Python refuses, in its own words, to convert what is huge.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    value = int(text)
    return value if least <= value <= most else None


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
    limit = number(text, 1, MAX_LIMIT)
    if limit is None:
        return error(400, f"limit={text[:64]!r}: not a number from 1 to {MAX_LIMIT}")
    async with asyncio.timeout(STORE_PATIENCE):
        stories = await store.latest(limit)
    return view.json({"status": "ok", "orders": [order_json(story) for story in stories]})


@app.page("/api/orders/{order_id}")
async def order(view: View, request: Any, order_id: str) -> Any:
    """One order with its alerts and its payment."""
    wanted = number(order_id, 0, MAX_ID)
    if wanted is None:
        return error(400, f"order id {order_id[:64]!r}: not a number up to {MAX_ID}")
    async with asyncio.timeout(STORE_PATIENCE):
        story = await store.story(wanted)
    if story is None:
        return error(404, f"order {order_id} is not known")
    return view.json({"status": "ok", "order": order_json(story)})
