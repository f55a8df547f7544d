"""`GET /openapi.json`: the API, described from the routes' own declarations."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web

from orderapp.web.api.routes import ROUTES, Answer, Parameter, Route, json, serve
from orderapp.web.server.problems import CONTENT_TYPE, ProblemDetails

_REF = "#/components/schemas/{name}"
_OBJECT = dict[str, Any]

_ERRORS = {
    400: "a parameter, a header or the JSON is malformed; `errors` names it",
    401: "the bearer token is missing or wrong",
    403: "not taken from there without a token",
    404: "not known",
    408: "the body came too slowly",
    413: "the body is larger than 64 KB",
    415: "the body is not JSON",
    421: "`Host` is no name of this server; see ORDERAPP_ALLOWED_HOSTS",
    422: "a field is wrong or missing; `errors` names each",
    500: "an error of the worker; its log has the details",
    503: "Kafka or the store does not answer, or there is no room; try again",
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
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Where this description was found, less its name: a proxy may serve it under a path.
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "ORDERAPP_API_TOKEN. Without one set, orders are taken from "
                    "the worker's own machine.",
                }
            },
        },
    }


def _schemas(routes: Sequence[Route]) -> tuple[dict[Any, Any], dict[str, Any]]:
    models: list[Any] = [ProblemDetails]
    for route in routes:
        models += [answer.model for answer in route.answers.values() if answer.model]
        models += [route.body] if route.body else []
    unique = list(dict.fromkeys(models))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    return dict(zip(unique, schemas, strict=True)), components


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "parameters": [_parameter(parameter) for parameter in route.parameters],
        "responses": {
            **{str(status): _answer(a, schemas) for status, a in route.answers.items()},
            **{str(status): _error(status, schemas) for status in _errors(route)},
        },
    }
    if route.body:
        content = {"application/json": {"schema": schemas[route.body]}}
        described["requestBody"] = {"required": True, "content": content}
    if route.guarded:
        described["security"] = [{"token": []}, {}]
    return described


def _errors(route: Route) -> list[int]:
    # Any parameter may be one that the route does not know, and any Host a foreign one.
    return sorted({400, 421, 500, *route.errors} - route.answers.keys())


def _operation_id(route: Route) -> str:
    words = [part.strip("{}").replace(".", "_") for part in route.path.split("/") if part]
    return "_".join([route.method.lower(), *words])


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.text,
        "schema": parameter.schema,
    }


def _answer(answer: Answer, schemas: dict[Any, Any]) -> dict[str, Any]:
    schema = schemas[answer.model] if answer.model else {"type": "string"}
    described: dict[str, Any] = {
        "description": answer.text,
        "content": {answer.content_type: {"schema": schema}},
    }
    if answer.headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in answer.headers.items()
        }
    return described


def _error(status: int, schemas: dict[Any, Any]) -> dict[str, Any]:
    return {
        "description": f"{HTTPStatus(status).phrase}: {_ERRORS[status]}",
        "content": {CONTENT_TYPE: {"schema": schemas[ProblemDetails]}},
    }


@serve(
    Route(
        "GET",
        "/openapi.json",
        "This description, as OpenAPI 3.1.",
        {200: Answer("The description.", _OBJECT)},
    )
)
async def openapi(request: web.Request) -> web.Response:
    """The description."""
    return json(document())
