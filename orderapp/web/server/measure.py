"""Counts what the web server answers, by route."""

import asyncio
import time

from aiohttp import web

from orderapp.metrics import HTTP_REQUESTS, HTTP_SECONDS
from orderapp.web.server.middleware import Handler

#: Any other word would be a series of its own, and clients choose them.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: nginx's status for a client that did not wait for the answer.
GONE = 499


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count a request and its time; a stream of events only counts."""
    began, status, timed = time.perf_counter(), 500, True
    try:
        answer = await handler(request)
    except web.HTTPException as reason:
        status = reason.status
        raise
    except (asyncio.CancelledError, ConnectionError):
        status, timed = GONE, False
        raise
    else:
        status, timed = answer.status, answer.content_type != "text/event-stream"
        return answer
    finally:
        method = request.method if request.method in _METHODS else "other"
        route = _route(request)
        HTTP_REQUESTS.labels(method, route, str(status)).inc()
        if timed:
            HTTP_SECONDS.labels(method, route).observe(time.perf_counter() - began)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    # Not the path: it holds order ids, and whatever a stranger asks for.
    return "unmatched" if resource is None else resource.canonical
