"""Who may change data: whoever has the token; where none is set, programs on this machine."""

import hmac
import ipaddress
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from orderapp.app import app, settings
from orderapp.web.server.problems import FieldError, Problem, shown

_CHALLENGE = 'Bearer realm="orderapp"'


def check_writer(request: web.Request) -> None:
    """Raise the `Problem` that keeps a request from changing data."""
    if settings.api_token is not None:
        _check_token(request, settings.api_token)
    elif not is_loopback(app.conf.web_bind):
        raise Problem(
            403,
            "orders are taken here from other machines only with a token: set "
            "ORDERAPP_API_TOKEN for the worker, and send it as 'Authorization: Bearer <token>'",
        )
    else:
        _check_own_page(request)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host: `localhost`, 127.0.0.0/8 or ::1."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_token(request: web.Request, token: str) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Problem(
            401,
            "this needs the header 'Authorization: Bearer <token>'",
            FieldError("Authorization", "a bearer token"),
            headers={"WWW-Authenticate": _CHALLENGE},
        )
    # As bytes: text that is not ASCII can't be compared in constant time.
    right = token.encode(errors="surrogateescape")
    if not hmac.compare_digest(given.strip().encode(errors="surrogateescape"), right):
        raise Problem(
            401,
            "the bearer token is not the right one",
            FieldError("Authorization", "the token of ORDERAPP_API_TOKEN"),
            headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
        )


def _check_own_page(request: web.Request) -> None:
    # A browser on this machine would send what a foreign page tells it to: by a form, by a
    # script, or through a host name of that page's own that resolves to 127.0.0.1.
    host = request.headers.get("Host", "")
    if not is_loopback(_split(f"//{host}").hostname or ""):
        raise Problem(
            403,
            f"Host {shown(host)} is not this machine: without ORDERAPP_API_TOKEN orders are "
            "taken at localhost or 127.0.0.1 only",
            FieldError("Host", "localhost or 127.0.0.1"),
        )
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    foreign = origin is not None and _split(origin).netloc.lower() != host.lower()
    if foreign or site not in {"none", "same-origin"}:
        raise Problem(
            403,
            "pages of other sites may not send orders; with ORDERAPP_API_TOKEN set, and sent "
            "as a bearer token, programs may",
            FieldError("Origin", f"http://{host}"),
        )


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # such as `http://[`
        return urlsplit("")
