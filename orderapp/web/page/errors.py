"""Error answers for people: a browser that opens an address is shown a page, not JSON."""

from html import escape

import msgspec
from aiohttp import web

from orderapp.web.api.routes import application
from orderapp.web.server.accept import quality
from orderapp.web.server.middleware import Handler
from orderapp.web.server.problems import CONTENT_TYPE, ProblemDetails

_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title}: orderapp</title>
    <link rel="icon" type="image/svg+xml" href="{root}static/favicon.svg">
    <link rel="stylesheet" href="{root}static/docs.css">
  </head>
  <body>
    <header><h1>{title}</h1></header>
    <main>
      <p>{detail}</p>
      <p><a href="{root}">The dashboard</a>, <a href="{root}docs">the API</a></p>
    </main>
  </body>
</html>
"""
_decode = msgspec.json.Decoder(ProblemDetails).decode


@web.middleware
async def problems_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make a page of problem details for who asks for one."""
    found = await handler(request)
    if found.content_type != CONTENT_TYPE or not isinstance(found, web.Response):
        return found
    if request.method not in {"GET", "HEAD"}:
        return found
    found.headers["Vary"] = "Accept"
    body = found.body
    if isinstance(body, bytes) and quality(request.headers.get("Accept", ""), "text/html"):
        found.headers.pop("Content-Encoding", None)
        found.body = page(_decode(body), request.path).encode()
        found.content_type, found.charset = "text/html", "utf-8"
    return found


def page(problem: ProblemDetails, path: str) -> str:
    """The page, for a request's path: its links are relative, as everywhere."""
    return _PAGE.format(
        title=escape(f"{problem.status} {problem.title}"),
        detail=escape(problem.detail),
        root="../" * (path.count("/") - 1) or "./",
    )


# Around all others, which know problem details alone.
application.middlewares.insert(0, problems_as_pages)
