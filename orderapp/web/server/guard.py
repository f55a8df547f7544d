"""What is refused before any view sees it: foreign names, and paths written in two ways."""

import re
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from orderapp.web.server.hosts import Hosts
from orderapp.web.server.middleware import Handler
from orderapp.web.server.problems import FieldError, Problem, shown

#: Parts of a path that mean another path.
_DOTS = re.compile(r"/(\.{0,2}/|\.{1,2}$)|\\")
_ESCAPE = re.compile(r"%(.{0,2})", re.DOTALL)
#: RFC 3986's `unreserved`, which needs no escape; and what is another path when it is read, or
#: nothing that anybody may send.
_NEVER_ESCAPED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/\\\x7f"
) | frozenset(range(32))


def guard(hosts: Hosts, *, of_any_host: Collection[str]) -> Middleware:
    """The middleware. `of_any_host` are paths that are answered whatever `Host` is: load
    balancers ask for them by names and addresses of their own."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        authority, path = _parts(request.raw_path)
        host = request.headers.get("Host")
        if not is_normal(path) or authority not in {None, host}:
            raise Problem(
                400,
                "the path must be in its normal form: without '//', '.' and '..', and with "
                "nothing percent-encoded that need not be",
            )
        # No browser leaves `Host` out.
        if host is not None and path not in of_any_host and not hosts.know(host):
            raise Problem(
                421,
                f"Host {shown(host)} is no name of this server: set ORDERAPP_ALLOWED_HOSTS for "
                "the worker to the names that it is reached by, with commas between them",
                FieldError("Host", "localhost, an address, or one of ORDERAPP_ALLOWED_HOSTS"),
            )
        return await handler(request)

    return guarded


def _parts(target: str) -> tuple[str | None, str]:
    """The authority of a request's target, if it has one, and its path."""
    path = target.partition("?")[0].partition("#")[0]
    if path.startswith("/"):
        return None, path
    _, _, rest = path.partition("://")
    authority, slash, path = rest.partition("/")
    return authority, slash + path


def is_normal(path: str) -> bool:
    """Whether a path, as it was sent, is the only way to write it: a rule by paths of whatever
    stands before this server, written for the one, would not hold for the others."""
    if not path.startswith("/") or _DOTS.search(path):
        return False
    return "%" not in path or all(_is_due(digits) for digits in _ESCAPE.findall(path))


def _is_due(digits: str) -> bool:
    if not re.fullmatch(r"[0-9A-Fa-f]{2}", digits):
        return False
    return int(digits, 16) not in _NEVER_ESCAPED
