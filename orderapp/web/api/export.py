"""`GET /api/orders/export.csv` and `….json`: the orders of a list as a file, page by page."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aiohttp import web
from msgspec.structs import replace

from orderapp.store import OrderQuery, StoreError
from orderapp.web.api import parameters as read
from orderapp.web.api.answers import Page
from orderapp.web.api.export_format import KINDS, Kind
from orderapp.web.api.order_pages import FILTERS, read_page, read_query
from orderapp.web.api.routes import PATIENCE, Answer, Header, Route, serve
from orderapp.web.server.middleware import Handler, set_headers
from orderapp.web.server.problems import unavailable

log = logging.getLogger(__name__)

#: Orders in one file, at most.
MOST = 100_000
#: Seconds after which a file is ended where it is.
LONGEST = 60.0
#: Exports at the same time; others are to try again.
AT_ONCE = 2
#: Orders that are in memory at once, for each export.
STEP = 100

_NAME = {"Content-Disposition": Header('`attachment; filename="orders-….csv"`, or `.json`')}
_room = asyncio.Semaphore(AT_ONCE)


async def _pages(asked: OrderQuery, page: Page) -> AsyncIterator[Page]:
    """This page and those that follow; the last one's `next` is null if it is the end."""
    end, count = time.monotonic() + LONGEST, len(page.orders)
    yield page
    while page.next is not None and count < MOST and time.monotonic() < end:
        after = read.read_after({"after": page.next})
        limit = min(STEP, MOST - count)
        async with asyncio.timeout(PATIENCE):
            page = await read_page(replace(asked, after=after, limit=limit))
        count += len(page.orders)
        yield page


async def _export(request: web.Request, kind: Kind) -> web.StreamResponse:
    asked = read_query(request.query, STEP)
    if _room.locked():
        raise unavailable(f"{AT_ONCE} exports are under way, as many as a worker makes at once")
    async with _room:
        # What goes wrong before the first byte is answered as everywhere.
        async with asyncio.timeout(PATIENCE):
            first = await read_page(asked)
        return await _send(request, kind, asked, first)


async def _send(
    request: web.Request, kind: Kind, asked: OrderQuery, first: Page
) -> web.StreamResponse:
    name = f"orders-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{kind.ending}"
    response = web.StreamResponse(
        headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
    response.content_type = kind.content_type
    if kind.charset:
        response.charset = kind.charset
    set_headers(request, response)
    await response.prepare(request)
    page, is_first = first, True
    await response.write(kind.begin)
    try:
        async for page in _pages(asked, first):
            if page.orders:
                await response.write(kind.rows(page.orders, is_first))
                is_first = False
    except (StoreError, TimeoutError) as error:
        # Its status is sent long ago: only a broken connection says that a part is missing.
        log.warning("an export was broken off: %s", str(error) or "no answer in time")
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write(kind.end(page.next))
    await response.write_eof()
    return response


def _declare(kind: Kind) -> Handler:
    """Register the route of one kind of file."""

    async def export(request: web.Request) -> web.StreamResponse:
        return await _export(request, kind)

    answer = Answer(kind.text, kind.model, content_type=kind.content_type, headers=_NAME)
    return serve(
        Route(
            "GET",
            f"/api/orders/export.{kind.ending}",
            f"The orders that the filters choose, newest first, as {kind.ending.upper()}: "
            f"{MOST:,} of them at most.",
            {200: answer},
            parameters=(read.AFTER, *FILTERS),
            errors=(503,),
        ),
        seconds=None,
    )(export)


exports = [_declare(kind) for kind in KINDS]
