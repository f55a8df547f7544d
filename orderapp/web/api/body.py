"""The JSON body of a request."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from orderapp.web.api.new_order import NO_JSON, unreadable
from orderapp.web.server.problems import FieldError, Problem

T = TypeVar("T")

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


def parsed(decode: Callable[[bytes], T], body: bytes, what: str) -> T:
    """What `decode` makes of a body; 400 for what is no JSON, 422 for what is not `what`."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise Problem(422, f"this is no {what}: {error}", _field(error)) from None
    except NO_JSON as error:
        raise unreadable(body, error) from None


def _field(error: Exception) -> FieldError:
    """`Expected `str`, got `int` - at `$.author`` is about `author`."""
    text, _, place = str(error).partition(" - at `$.")
    return FieldError(place.strip("`")[:64], text)
