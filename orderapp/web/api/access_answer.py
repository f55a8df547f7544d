"""`GET /api/access`: whether whoever asks may change something, for pages that offer it."""

from typing import Literal

import msgspec
from aiohttp import web

from orderapp.app import settings
from orderapp.web.api.access import check_writer
from orderapp.web.api.routes import Answer, Route, json, serve
from orderapp.web.server.problems import Problem


class Access(msgspec.Struct, frozen=True):
    """Whether whoever asked may send orders, change rules, and resolve dead letters: `free`,
    with the `token`, or not at all (`refused`), and why not. `environment` is what this
    deployment is called (ORDERAPP_ENVIRONMENT)."""

    changes: Literal["free", "token", "refused"]
    reason: str | None
    environment: str | None
    status: Literal["ok"] = "ok"


@serve(
    Route(
        "GET",
        "/api/access",
        "Whether whoever asks may change something. A token that comes along is looked at.",
        {200: Answer("Whether.", Access)},
    )
)
async def access(request: web.Request) -> web.Response:
    try:
        check_writer(request)
    except Problem as problem:
        kind: Literal["token", "refused"] = "token" if problem.status == 401 else "refused"
        return json(Access(kind, problem.detail, settings.web.environment))
    return json(Access("free", None, settings.web.environment))
