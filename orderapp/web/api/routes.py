"""The routes of the API: each declares what it takes and answers. The declaration is checked on
each request; `/openapi.json` and `/docs` are made from it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import msgspec
from aiohttp import web

from orderapp.app import app
from orderapp.web.api.access import check_writer
from orderapp.web.server.middleware import Handler
from orderapp.web.server.problems import FieldError, Problem, shown

#: Seconds after which a view that has not answered is answered with 503.
PATIENCE = 1.8

#: aiohttp's application, which Faust serves. Its own views cost more than twice the time.
application: web.Application = app.web.web_app  # type: ignore[attr-defined]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Parameter:
    """A parameter of a request; `schema` is JSON Schema."""

    name: str
    schema: Mapping[str, Any]
    text: str
    #: `query`, `path` or `header`.
    place: str = "query"
    #: A value that is right.
    example: Any = None

    @property
    def is_list(self) -> bool:
        """Whether it may be given more than once."""
        return self.schema.get("type") == "array"


@dataclass(frozen=True)
class Header:
    """A header of an answer."""

    text: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Answer:
    """What a status means; `model` is a type that msgspec knows, None if it is not JSON."""

    text: str
    model: Any = None
    content_type: str = "application/json"
    #: Headers that it always carries.
    headers: Mapping[str, Header] = field(default_factory=dict)
    #: Of a stream: the type of each event's data.
    events: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    summary: str
    answers: Mapping[int, Answer]
    parameters: Sequence[Parameter] = ()
    #: What the body must be.
    body: type | None = None
    #: A body that is right.
    example: Mapping[str, Any] | None = None
    #: Statuses of error answers besides those that every route may have, or follow from `body`
    #: and `guarded`.
    errors: Sequence[int] = ()
    #: Whether it is only for those who may send orders: `access.check_writer` is asked.
    guarded: bool = False


#: In the order of their declaration.
ROUTES: list[Route] = []


def serve(route: Route, *, seconds: float | None = PATIENCE) -> Callable[[Handler], Handler]:
    """Register a view for `route`; `seconds` is its time limit."""

    def register(view: Handler) -> Handler:
        known = {p.name: p.is_list for p in route.parameters if p.place == "query"}

        @wraps(view)
        async def checked(request: web.Request) -> web.StreamResponse:
            if request.query_string:
                _check_text(request)
                _check_names(request, known)
            if route.guarded:
                check_writer(request)
            async with asyncio.timeout(seconds):
                return await view(request)

        ROUTES.append(route)
        router = application.router
        if route.method == "GET":
            router.add_get(route.path, checked, allow_head=seconds is not None)
        else:
            router.add_route(route.method, route.path, checked)
        return view

    return register


def _check_text(request: web.Request) -> None:
    # What is not UTF-8 would be read with a replacement character for each wrong byte, and so
    # as a value that nobody has sent.
    for part in request.rel_url.raw_query_string.split("&"):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError as error:
            name = unquote(part.partition("=")[0])[:64]
            wrong = "".join(f"%{byte:02X}" for byte in error.object[error.start : error.end])
            text = f"{wrong} is not UTF-8"
            raise Problem(400, f"{shown(name)}: {text}", FieldError(name, text)) from None


def _check_names(request: web.Request, known: Mapping[str, bool]) -> None:
    allowed = f"allowed here: {', '.join(sorted(known)) or 'none'}"
    errors = [
        FieldError(name[:64], f"this parameter is not known; {allowed}")
        for name in dict.fromkeys(request.query)
        if name not in known
    ]
    errors += [
        FieldError(name, "this parameter is given more than once")
        for name, is_list in known.items()
        if not is_list and len(request.query.getall(name, ())) > 1
    ]
    if errors:
        first = errors[0]
        raise Problem(400, f"{shown(first.field)}: {first.detail}", *errors[:16])


def json(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer: a Struct, or bytes that are JSON already."""
    return web.Response(
        body=body if isinstance(body, bytes) else _encode(body),
        status=status,
        content_type="application/json",
        headers=headers,
    )
