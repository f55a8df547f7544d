"""The JSON body of a request."""

import asyncio

from aiohttp import web

from orderapp.web.server.problems import FieldError, Problem

#: Seconds that a client may take to send the body.
BODY_SECONDS = 5.0


async def read_json(request: web.Request) -> bytes:
    """The body, if it is declared as JSON and arrives in time; raises `Problem`."""
    if request.content_type != "application/json":
        raise Problem(
            415,
            "the body must be JSON: Content-Type: application/json",
            FieldError("Content-Type", "application/json"),
            headers={"Accept": "application/json"},
        )
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(
            415,
            "the body must not be compressed",
            FieldError("Content-Encoding", "identity, or none"),
            headers={"Accept-Encoding": "identity"},
        )
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Problem(
            408,
            f"the body did not arrive within {BODY_SECONDS:g} s",
            headers={"Connection": "close"},
        ) from None
