"""Who may send orders: programs on this machine, whoever has the token, or anyone."""

import hmac

from aiohttp import web

from orderapp.app import app, settings
from orderapp.web.server.hosts import is_loopback, name_of
from orderapp.web.server.problems import FieldError, Problem, shown
from orderapp.web.server.proxies import sign_of_proxy

_CHALLENGE = 'Bearer realm="orderapp"'
_CURE = "set ORDERAPP_API_TOKEN for the worker, and send it as 'Authorization: Bearer <token>'"


def check_writer(request: web.Request) -> None:
    """Raise the `Problem` that keeps a request from sending orders."""
    if settings.web.take_orders == "token":
        _check_token(request, settings.web.api_token or "")
    elif settings.web.take_orders == "local":
        _check_this_machine(request)
        _check_own_page(request)


def _check_this_machine(request: web.Request) -> None:
    # The address that it listens on too: containers and routers can make others look local.
    if not is_loopback(app.conf.web_bind) or not is_loopback(request.remote or ""):
        raise Problem(
            403, f"orders are taken here from other machines only with a token: {_CURE}"
        )
    if sign := sign_of_proxy(request):
        raise Problem(
            403,
            f"this came through a proxy ({shown(sign)} shows it), and orders are taken from "
            f"this machine only, directly (ORDERAPP_TAKE_ORDERS=local): {_CURE}",
            FieldError(sign, "nothing that a proxy adds"),
        )


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
    if not is_loopback(name_of(host)):
        raise Problem(
            403,
            f"Host {shown(host)} is not this machine, and orders are taken at localhost or "
            f"127.0.0.1 only (ORDERAPP_TAKE_ORDERS=local): {_CURE}",
            FieldError("Host", "localhost or 127.0.0.1"),
        )
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    is_own = origin is None or origin.partition("://")[2].lower() == host.lower()
    if not is_own or site not in {"none", "same-origin"}:
        raise Problem(
            403,
            "pages of other sites may not send orders (ORDERAPP_TAKE_ORDERS=local); programs "
            f"may: {_CURE}",
            FieldError("Origin", f"http://{host}"),
        )
