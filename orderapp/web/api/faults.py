"""What is broken on purpose: shown, and switched where that is allowed."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from orderapp import control
from orderapp.app import app
from orderapp.control import Switch
from orderapp.engine.observe.times import Time
from orderapp.faults import Fault, switches
from orderapp.models import Author
from orderapp.web.api.body import BODY_SECONDS, parsed, read_json
from orderapp.web.api.routes import Answer, Header, Parameter, Route, json, serve
from orderapp.web.api.versions import (
    IF_MATCH,
    KAFKA_PATIENCE,
    check_kafka,
    read_version,
    refusals,
)
from orderapp.web.server.problems import Problem, shown

#: Changes that are listed: the last ones.
MOST = 50


class FaultNow(msgspec.Struct, frozen=True):
    """A fault, and how much of it there is."""

    name: str
    #: What the value is of.
    text: str
    #: A rate from 0 to 1, or seconds; 0: nothing is broken.
    value: float
    #: The largest value.
    most: float
    #: 1: as this worker's settings have it.
    version: int
    #: When it was changed last, and by whom; null and empty: never.
    changed_at: Time | None
    author: str
    #: Why it can't be switched here; null: it can.
    refused: str | None


class FaultSwitched(msgspec.Struct, frozen=True):
    """A change of a fault."""

    name: str
    value: float
    version: int
    changed_at: Time
    author: str


class FaultList(msgspec.Struct, frozen=True):
    """All faults, and the last 50 changes, the latest first."""

    faults: Sequence[FaultNow]
    changes: Sequence[FaultSwitched]
    status: Literal["ok"] = "ok"


class OneFault(msgspec.Struct, frozen=True):
    """One fault."""

    fault: FaultNow
    status: Literal["ok"] = "ok"


class FaultSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a fault there shall be."""

    #: A rate from 0 to 1, or seconds.
    value: Annotated[float, Meta(ge=0, le=86_400)]
    #: Who changes it, for people.
    author: Author = "api"


class FaultsOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who switches all faults off."""

    #: For people.
    author: Author = "api"


_decode = msgspec.json.Decoder(FaultSetting).decode
_decode_off = msgspec.json.Decoder(FaultsOff).decode

_NAME = Parameter(
    "name",
    {"type": "string", "enum": list(switches.all)},
    "the fault's name",
    "path",
    example="gateway_timeout",
)
_ALL = Answer("They.", FaultList)


@serve(Route("GET", "/api/faults", "What is broken on purpose.", {200: _ALL}))
async def all_faults(request: web.Request) -> web.Response:
    return _list()


@serve(
    Route(
        "PUT",
        "/api/faults/{name}",
        "Break something on purpose, or mend it: all workers follow within a second.",
        {
            200: Answer(
                "The fault.",
                OneFault,
                headers={"ETag": Header("its version, in quotation marks")},
            )
        },
        parameters=(_NAME, IF_MATCH),
        body=FaultSetting,
        example={"value": 0.3, "author": "ann"},
        errors=(404, 412, 428, 503),
        guarded=True,
    ),
    seconds=BODY_SECONDS + 2 * KAFKA_PATIENCE,
)
async def set_fault(request: web.Request) -> web.Response:
    """Switch a fault; answered when Kafka has the change, and it holds."""
    name, version = request.match_info["name"], read_version(request)
    if name not in switches.all:
        raise Problem(404, f"there is no fault {shown(name)}")
    wanted = parsed(_decode, await read_json(request), "change of a fault")
    check_kafka()
    after = await _switch(Switch(name, wanted.value, wanted.author, version))
    tag = f'"{after.version}"'
    return json(OneFault(_now(after)), headers={"ETag": tag})


@serve(
    Route(
        "POST",
        "/api/faults/off",
        "Mend all that is broken on purpose, whatever version it has.",
        {200: _ALL},
        body=FaultsOff,
        example={"author": "ann"},
        errors=(503,),
        guarded=True,
    ),
    seconds=BODY_SECONDS + 2 * KAFKA_PATIENCE,
)
async def all_off(request: web.Request) -> web.Response:
    """Switch all faults off; answered when it holds."""
    wanted = parsed(_decode_off, await read_json(request), "change of all faults")
    check_kafka()
    with refusals("author", "faults"):
        switches_off = control.all_off(wanted.author)
    for one in switches_off:
        await _switch(one)
    return _list()


async def _switch(wanted: Switch) -> Fault:
    async def send(key: bytes, value: bytes) -> None:
        await app.send_all(control.TOPIC, 0, [(key, value)])

    with refusals("value", "fault"):
        async with asyncio.timeout(KAFKA_PATIENCE):
            _, after = await control.switch(wanted, control.follower.look, send)
    return after


def _list() -> web.Response:
    changes = [
        FaultSwitched(one.fault, one.value, one.version, one.changed_at, one.author)
        for one in reversed(switches.taken[-MOST:])
    ]
    return json(FaultList([_now(fault) for fault in switches.all.values()], changes))


def _now(fault: Fault) -> FaultNow:
    changed_at, author = fault.changed_at or None, fault.author
    return FaultNow(
        *(fault.id, fault.text, fault.value, fault.most, fault.version, changed_at, author),
        refused=control.refusal(fault.id),
    )
