"""`GET /docs`: the description of the API as a page to read, made from `/openapi.json`."""

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Any

from aiohttp import web

from orderapp.app import app
from orderapp.web.api import docs_try
from orderapp.web.api.curl import command
from orderapp.web.api.docs_text import allowed, code, kind, link, text
from orderapp.web.api.openapi import document
from orderapp.web.api.routes import Answer, Route, serve

_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>orderapp: the API</title>
    <link rel="icon" type="image/svg+xml" href="static/favicon.svg">
    <link rel="stylesheet" href="static/dashboard.css">
    <link rel="stylesheet" href="static/dark.css" id="dark"
      media="screen and (prefers-color-scheme: dark)">
    <script src="static/theme.js"></script>
    <link rel="stylesheet" href="static/docs.css">
    <script type="module" src="static/docs.js"></script>
  </head>
  <body>
    <a class="skip" href="#requests">Skip to the requests</a>
    <header class="top">
      <div class="brand">
        <img src="static/favicon.svg" alt="" width="34" height="34">
        <h1>orderapp</h1>
      </div>
      <nav class="views" aria-label="Views">{views}</nav>
    </header>
    <main>
      <section class="card" aria-labelledby="api">
        <h2 id="api">The API</h2>
        <p>{about}</p>
        <p>Made from the code's own declarations. For programs: <a
          href="openapi.json">openapi.json</a>, and <a href="asyncapi.json">asyncapi.json</a>
          for the Kafka topics.</p>
        <nav id="requests" tabindex="-1" aria-label="Requests"><ul>{contents}</ul></nav>
      </section>{sections}
      <section class="card">
        <h2>Schemas</h2>{schemas}
      </section>
    </main>
    <footer>
      <label>Colours
        <select id="theme" autocomplete="off">
          <option value="system">as the system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select></label>
    </footer>
    {answer}
  </body>
</html>
"""


#: The page's own views, as its first line has them; this one last.
VIEWS = {
    "Orders": "./",
    "Dead letters": "./#/dead-letters",
    "Flow": "./#/flow",
    "Rules": "./#/rules",
    "Break it": "./#/faults",
}


@cache
def page() -> str:
    """The page. Everything from the description is escaped."""
    found = document()
    operations = [
        (method.upper(), path, operation)
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    ]
    return _PAGE.format(
        views="".join(
            f'<a href="{target}">{escape(name)}</a>' for name, target in VIEWS.items()
        )
        + '<a href="docs" aria-current="page">API</a>',
        answer=docs_try.ANSWER,
        about=text(found["info"]["description"]),
        contents="".join(
            f"<li>{link(o['operationId'], f'<b>{method}</b> {code(path)}')}</li>"
            for method, path, o in operations
        ),
        sections="".join(_section(*operation) for operation in operations),
        schemas="".join(
            _schema(name, schema)
            for name, schema in sorted(found["components"]["schemas"].items())
        ),
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f'<section class="card" id="{operation["operationId"]}">',
        f"<h2><b>{method}</b> {code(path)}</h2>",
        f"<p>{text(operation['summary'])}</p>",
        _pre(command(f"http://localhost:{app.conf.web_port}", method, path, operation)),
    ]
    parts.append(docs_try.form(method, path, operation))
    if parameters := operation["parameters"]:
        rows = (
            (code(p["name"]), p["in"], allowed(p["schema"]), text(p["description"]))
            for p in parameters
        )
        parts.append(_table("Parameters", ("name", "in", "allowed", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append(f"<p>Body: {kind(body['content']['application/json']['schema'])}</p>")
    answers = [(status, *_answer(a)) for status, a in operation["responses"].items()]
    parts.append(_table("Answers", ("status", "meaning", "headers", "body"), answers))
    return "".join([*parts, "</section>"])


def _answer(answer: dict[str, Any]) -> tuple[str, str, str]:
    content_type, content = next(iter(answer["content"].items()))
    schemas = content.get("x-events") or {"": content["schema"]}
    bodies = [
        f"{code(name)}: {kind(schema)}" if name else kind(schema)
        for name, schema in schemas.items()
    ]
    body = ", ".join(bodies) if "$ref" in str(schemas) else code(content_type)
    return text(answer["description"]), ", ".join(map(code, answer.get("headers", ()))), body


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = (
        (
            code(field),
            kind(described),
            "always" if field in required else "may be missing",
            " ".join(
                filter(None, (allowed(described), text(described.get("description", ""))))
            ),
        )
        for field, described in schema["properties"].items()
    )
    table = _table(f"Fields of {name}", ("name", "type", "there", "allowed"), rows)
    about = text(schema.get("description", ""))
    return f'<section id="{name}"><h3>{code(name)}</h3><p>{about}</p>{table}</section>'


def _table(caption: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of cells that are HTML."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll" role="group" tabindex="0" aria-label="{caption}">'
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _pre(command: str) -> str:
    return f'<pre tabindex="0" role="group" aria-label="Example">{code(command)}</pre>'


@serve(
    Route(
        "GET",
        "/docs",
        "This description, as a page to read.",
        {200: Answer("The page.", content_type="text/html")},
    )
)
async def docs(request: web.Request) -> web.Response:
    return web.Response(text=page(), content_type="text/html")
