"""What holds for every request: errors are JSON, and answers carry security headers."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from orderapp.store import StoreError

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Only files of our own: nothing inline, no other host.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def error(status: int, text: str) -> web.Response:
    """An error answer."""
    return web.json_response({"status": "error", "error": text}, status=status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a view raises into JSON with a status that fits."""
    try:
        return await handler(request)
    except web.HTTPException as reason:
        if reason.status < 400:
            raise
        answer = error(reason.status, reason.reason)
        if "Allow" in reason.headers:
            answer.headers["Allow"] = reason.headers["Allow"]
        return answer
    except (StoreError, TimeoutError) as reason:
        return error(503, str(reason) or "the store does not answer")
    except Exception:  # the edge: a bug in a view must not show its inside
        logger.exception("%s %s failed", request.method, request.path)
        return error(500, "internal error; the worker's log has the details")


@web.middleware
async def security_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the headers that every answer has."""
    answer = await handler(request)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


MIDDLEWARES = (security_headers, errors_as_json)
