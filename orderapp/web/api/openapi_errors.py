"""Error answers as `/openapi.json` describes them."""

from http import HTTPStatus
from typing import Any

from orderapp.web.api.routes import Header
from orderapp.web.api.schemas import completed
from orderapp.web.server.problems import CONTENT_TYPE

_TEXTS = {
    400: "a parameter, a header or the JSON is malformed; `errors` names it",
    401: "the bearer token is missing or wrong",
    403: "not taken from there without a token",
    404: "not known",
    408: "the body came too slowly",
    412: "another version is in force; `detail` says which",
    413: "the body is larger than 64 KB",
    415: "the body is not JSON",
    421: "`Host` is no name of this server; see ORDERAPP_ALLOWED_HOSTS",
    422: "a field is wrong or missing; `errors` names each",
    428: "`If-Match` is missing: the version that is to be changed",
    500: "an error of the worker; its log has the details",
    503: "Kafka or the store does not answer, or there is no room; try again",
}
#: What they carry besides.
_HEADERS = {
    401: {"WWW-Authenticate": Header("which token is needed")},
    503: {
        "Retry-After": Header(
            "seconds after which to try again",
            {"type": "integer", "minimum": 1, "maximum": 60},
        )
    },
}


def header(of: Header) -> dict[str, Any]:
    """The description of a header."""
    return {"description": of.text, "required": True, "schema": completed(of.schema)}


def error_answer(status: int, problem: dict[str, Any]) -> dict[str, Any]:
    """The answer with an error's status; `problem` is the schema of its body."""
    described = {
        "description": f"{HTTPStatus(status).phrase}: {_TEXTS[status]}",
        "content": {CONTENT_TYPE: {"schema": problem}},
    }
    headers = {name: header(of) for name, of in _HEADERS.get(status, {}).items()}
    return described | ({"headers": headers} if headers else {})
