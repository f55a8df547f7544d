"""`GET /openapi.json`: the API, described from the routes' own declarations."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web

from orderapp.web.api.openapi_errors import error_answer, header
from orderapp.web.api.routes import ROUTES, Answer, Parameter, Route, json, serve
from orderapp.web.api.schemas import Schema, completed, describe
from orderapp.web.server.problems import ProblemDetails

#: What the operations are grouped by: the part of a path behind `/api/`.
_TAGS = {
    "events": "What happens now.",
    "analytics": "The last orders.",
    "orders": "Orders: sent, listed, and one with its story.",
    "dead-letters": "Dead letters: listed, shown, replayed and dropped.",
    "rules": "Rules of fraud: how they are, and changed.",
    "faults": "What is broken on purpose, and switched.",
    "access": "What whoever asks may change.",
    "stats": "Totals, and how far the services are.",
    "topology": "What is connected with what.",
    "history": "The last hour.",
    "reconcile": "Whether the topics and the store agree.",
    "topics": "What lies in the topics.",
    "worker": "The worker itself, and what it says of its API.",
}


def every_route() -> list[Route]:
    """What a worker with `web` answers, the API first."""
    return sorted(ROUTES, key=lambda route: not route.path.startswith("/api/"))


@cache
def document() -> dict[str, Any]:
    """The description, as OpenAPI 3.1 has it."""
    schemas, components = _schemas(every_route())
    paths: dict[str, dict[str, Any]] = {}
    for route in every_route():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orderapp",
            "version": version("orderapp"),
            "summary": "Orders, from the first click to the payment.",
            "description": "Every error is problem details (RFC 9457). Ids are whole numbers "
            "below 2^53, times RFC 3339 in UTC. Fields are only ever added to answers, and "
            "values to no enumeration.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Where this description was found, less its name: a proxy may serve it under a path.
        "servers": [{"url": ".", "description": "The worker that this comes from."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "ORDERAPP_API_TOKEN; ORDERAPP_TAKE_ORDERS says whether it "
                    "is needed.",
                }
            },
        },
    }


def _schemas(routes: Sequence[Route]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    answers = [answer for route in routes for answer in route.answers.values()]
    written = [ProblemDetails, *(answer.model for answer in answers if answer.model)]
    # Items of events are as others wrote them; see `events`.
    read = [route.body for route in routes if route.body]
    read += [model for answer in answers for model in answer.events.values()]
    schemas: dict[Any, Schema] = {}
    components: dict[str, Schema] = {}
    for models, are_written in ((written, True), (read, False)):
        unique = list(dict.fromkeys(models))
        found, named = describe(unique, written=are_written)
        schemas |= zip(unique, found, strict=True)
        for name in named.keys() & components:
            if named[name] != components[name]:
                raise TypeError(f"{name} is the name of two different things")
        components |= named
    return schemas, components


def _operation(route: Route, schemas: dict[Any, Schema]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": [_tag(route)],
        "parameters": [_parameter(parameter) for parameter in route.parameters],
        "responses": {
            **{str(status): _answer(a, schemas) for status, a in route.answers.items()},
            **{
                str(status): error_answer(status, schemas[ProblemDetails])
                for status in _errors(route)
            },
        },
        # Whoever may reach the worker may read.
        "security": [{"token": []}, {}] if route.guarded else [],
    }
    if route.body:
        content: dict[str, Any] = {"schema": schemas[route.body], "example": route.example}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": content},
        }
    return described


def _errors(route: Route) -> list[int]:
    # Any parameter may be one that the route does not know, and any Host a foreign one.
    found = {400, 421, 500, *route.errors}
    found |= {401, 403} if route.guarded else set()
    found |= {408, 413, 415, 422} if route.body else set()
    return sorted(found - route.answers.keys())


def _operation_id(route: Route) -> str:
    words = [part.strip("{}") for part in route.path.split("/") if part]
    return re.sub("[.-]", "_", "_".join([route.method.lower(), *words]))


def _tag(route: Route) -> str:
    first, second = f"{route.path}/".split("/")[1:3]
    return second if first == "api" else "worker"


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.text,
        "schema": completed(parameter.schema),
    }
    return described | ({} if parameter.example is None else {"example": parameter.example})


def _answer(answer: Answer, schemas: dict[Any, Schema]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "schema": schemas[answer.model] if answer.model else {"type": "string"}
    }
    if answer.events:
        # OpenAPI 3.1 has no word for the data of an event.
        content["x-events"] = {name: schemas[model] for name, model in answer.events.items()}
    described = {"description": answer.text, "content": {answer.content_type: content}}
    if answer.headers:
        described["headers"] = {name: header(h) for name, h in answer.headers.items()}
    return described


@serve(
    Route(
        "GET",
        "/openapi.json",
        "This description, as OpenAPI 3.1.",
        {200: Answer("The description.", dict[str, Any])},
    )
)
async def openapi(request: web.Request) -> web.Response:
    return json(document())
