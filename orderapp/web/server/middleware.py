"""For every request: errors become problem details, and answers carry security headers."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from orderapp.engine.observe.logs import Few
from orderapp.store import StoreError
from orderapp.web.server.compression import compress
from orderapp.web.server.problems import Problem, answer

logger = logging.getLogger(__name__)
_few = Few(logger, logging.WARNING, "requests that failed", most=50)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Seconds after which a client may try again.
RETRY_AFTER = "2"

# Only files of our own: nothing inline, no other host. The rest is what OWASP's cheat sheet on
# HTTP headers asks for.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Server": "orderapp",  # aiohttp's own names versions
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@web.middleware
async def errors_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a view raises into problem details with a status that fits."""
    try:
        return await handler(request)
    except Problem as problem:
        return answer(problem.status, problem.detail, problem.errors, problem.headers)
    except web.HTTPException as reason:
        if reason.status < 400:
            raise
        return _of_aiohttp(reason)
    except (StoreError, TimeoutError) as reason:
        # Its text names hosts or files: for the log, and only a part of it for the client.
        if _few.room():
            text = str(reason) or "no answer in time"
            logger.warning("%s %s: %s", request.method, request.path, text)
        public = reason.public if isinstance(reason, StoreError) else ""
        detail = f"{public or 'the store does not answer'}; try again"
        return answer(503, detail, headers={"Retry-After": RETRY_AFTER})
    except Exception as reason:  # the edge: a bug in a view must expose no internals
        if isinstance(reason, ConnectionError) and request.transport is None:
            raise  # the client has left; see `connections`
        if _few.room():
            logger.exception("%s %s failed", request.method, request.path)
        return answer(500, "internal error; the worker's log has the details")


def _of_aiohttp(reason: web.HTTPException) -> web.Response:
    details = {
        404: "there is nothing at this path; /docs lists what there is",
        405: "this path does not know the method; the header Allow lists those that it knows",
        413: "the body is larger than the 65536 bytes that are allowed",
    }
    found = answer(reason.status, details.get(reason.status, reason.reason))
    if "Allow" in reason.headers:
        found.headers["Allow"] = reason.headers["Allow"]
    return found


@web.middleware
async def security_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the headers that every answer has, and compress it where that is worth it."""
    found = await handler(request)
    if not found.prepared:  # an event stream has sent its headers long ago
        set_headers(request, found)
        compress(request, found)
    return found


def set_headers(request: web.BaseRequest, found: web.StreamResponse) -> None:
    """The headers of an answer to `request`; what is there already stays."""
    is_file = request.path in {"/", "/favicon.ico"} or request.path.startswith("/static/")
    found.headers.setdefault("Cache-Control", "no-cache" if is_file else "no-store")
    for name, value in _HEADERS.items():
        found.headers.setdefault(name, value)


MIDDLEWARES = (security_headers, errors_as_problems)
