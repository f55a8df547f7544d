"""Error answers: problem details (RFC 9457) that say what was wrong and what is allowed."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web

CONTENT_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field, parameter or header."""

    field: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True):
    """The body of every error answer."""

    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str
    type: str = "about:blank"
    errors: Sequence[FieldError] | msgspec.UnsetType = msgspec.UNSET


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """Ends a request with this answer. The text is for the client: no internals."""

    def __init__(
        self,
        status: int,
        detail: str,
        *errors: FieldError,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def bad_parameter(name: str, value: str, allowed: str) -> Problem:
    """400 for a parameter or header with a value that is not allowed."""
    return Problem(
        400,
        f"{name}={shown(value)} is not allowed: {allowed}",
        FieldError(name, f"{allowed}, not {shown(value)}"),
    )


def unavailable(detail: str) -> Problem:
    """503 for what may work in some seconds."""
    return Problem(503, detail, headers={"Retry-After": "5"})


def shown(text: str) -> str:
    """What a client sent, quoted and cut, for an answer."""
    return ascii(text if len(text) <= 64 else text[:63] + "…")


def answer(
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error answer."""
    title = HTTPStatus(status).phrase
    body = ProblemDetails(title, status, detail, errors=errors or msgspec.UNSET)
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type=CONTENT_TYPE,
        headers=headers,
    )
