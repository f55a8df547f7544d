"""`GET /docs`: the description of the API as a page to read, made from `/openapi.json`."""

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Any

import msgspec
from aiohttp import web

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
    <link rel="stylesheet" href="static/docs.css">
  </head>
  <body>
    <header>
      <h1>orderapp: the API</h1>
      <p>Made from the code's own declarations. For programs: <a
        href="openapi.json">openapi.json</a>, and <a href="asyncapi.json">asyncapi.json</a>
        for the Kafka topics. <a href="./">The dashboard</a></p>
      <nav aria-label="Requests"><ul>{contents}</ul></nav>
    </header>
    <main>{sections}
      <section id="schemas">
        <h2>Schemas</h2>{schemas}
      </section>
    </main>
  </body>
</html>
"""


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
        contents="".join(
            f'<li><a href="#{escape(o["operationId"])}"><b>{method}</b> {escape(path)}</a></li>'
            for method, path, o in operations
        ),
        sections="".join(_section(*operation) for operation in operations),
        schemas="".join(
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> '
            f"{escape(schema.get('description', ''))}</summary>{_json(schema)}</details>"
            for name, schema in sorted(found["components"]["schemas"].items())
        ),
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f'<section id="{escape(operation["operationId"])}">',
        f"<h2><b>{method}</b> <code>{escape(path)}</code></h2>",
        f"<p>{escape(operation['summary'])}</p>",
    ]
    if parameters := operation["parameters"]:
        rows = ((p["name"], p["in"], _short(p["schema"]), p["description"]) for p in parameters)
        parts.append(_table("Parameters", ("name", "in", "allowed", "meaning"), rows))
    if body := operation.get("requestBody"):
        schema = body["content"]["application/json"]["schema"]
        parts.append(f"<p>Body: {_link(schema)}</p>")
    answers = [(status, *_answer(answer)) for status, answer in operation["responses"].items()]
    parts.append(_table("Answers", ("status", "meaning", "body"), answers))
    return "".join([*parts, "</section>"])


def _answer(answer: dict[str, Any]) -> tuple[str, str]:
    content_type, content = next(iter(answer["content"].items()))
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    return answer["description"], name or content_type


def _short(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(schema["enum"])
    bounds = [f"{name} {schema[name]}" for name in schema if name != "type"]
    return ", ".join([schema["type"], *bounds])


def _table(caption: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _link(schema: dict[str, Any]) -> str:
    name = escape(schema["$ref"].rpartition("/")[2])
    return f'<a href="#{name}"><code>{name}</code></a>'


def _json(schema: dict[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    return f'<pre tabindex="0">{escape(text)}</pre>'


@serve(
    Route(
        "GET",
        "/docs",
        "This description, as a page to read.",
        {200: Answer("The page.", content_type="text/html")},
    )
)
async def docs(request: web.Request) -> web.Response:
    """The page."""
    return web.Response(text=page(), content_type="text/html")
