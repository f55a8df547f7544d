"""The dashboard's files: `GET /`, `GET /favicon.ico` and `GET /static/…`.

They are few and small, and read once: nobody gets a page of one version with scripts of
another, and no path that a client sends is looked up in the file system.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from orderapp.web.api.routes import application

STATIC = Path(__file__).parent / "static"

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class _File(NamedTuple):
    body: bytes
    content_type: str
    etag: str


def _read(path: Path) -> _File:
    body = path.read_bytes()
    content_type = _TYPES.get(path.suffix, "text/plain")
    return _File(body, content_type, hashlib.sha256(body).hexdigest()[:32])


#: By the path below `static/`.
_FILES = {
    path.relative_to(STATIC).as_posix(): _read(path)
    for path in sorted(STATIC.rglob("*"))
    if path.is_file()
}


async def dashboard(request: web.Request) -> web.Response:
    """The dashboard, one static page."""
    return _answer(request, _FILES["index.html"])


async def favicon(request: web.Request) -> web.Response:
    """What browsers ask for by themselves, beside JSON too."""
    return _answer(request, _FILES["favicon.ico"])


async def static(request: web.Request) -> web.Response:
    """One of the files that the page loads."""
    found = _FILES.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return _answer(request, found)


def _answer(request: web.Request, found: _File) -> web.Response:
    if any(tag.value in (found.etag, "*") for tag in request.if_none_match or ()):
        response = web.Response(status=304)
    else:
        response = web.Response(
            body=found.body,
            content_type=found.content_type,
            charset="utf-8" if found.content_type.startswith(("text/", "image/svg")) else None,
        )
    response.etag = found.etag
    return response


application.router.add_get("/", dashboard)
application.router.add_get("/favicon.ico", favicon)
application.router.add_get("/static/{name:.+}", static)
