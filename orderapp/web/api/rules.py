"""Rules of fraud: how they are in force, and changed; each changes the version that it saw."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from aiohttp import web

from orderapp import control, topics
from orderapp.app import app
from orderapp.control import Wanted, WrongVersion
from orderapp.engine.errors import FatalError, TransientError
from orderapp.judging import rules
from orderapp.models import Author, RuleState
from orderapp.rule import Rule
from orderapp.web.api.access import check_writer
from orderapp.web.api.body import BODY_SECONDS, parsed, read_json
from orderapp.web.api.routes import Answer, Header, Parameter, Route, json, serve
from orderapp.web.server.problems import (
    FieldError,
    Problem,
    bad_parameter,
    shown,
    unavailable,
)

#: Seconds that Kafka has for a change.
KAFKA_PATIENCE = 5.0


class RuleInForce(msgspec.Struct, frozen=True):
    """A rule as fraud judges by it."""

    id: str
    #: What it finds.
    text: str
    state: RuleState
    #: 1: as its file declares it.
    version: int
    parameters: dict[str, Any]


class RuleList(msgspec.Struct, frozen=True):
    """All rules, by id."""

    rules: Sequence[RuleInForce]
    status: Literal["ok"] = "ok"


class OneRule(msgspec.Struct, frozen=True):
    """One rule."""

    rule: RuleInForce
    status: Literal["ok"] = "ok"


class RuleSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule shall be; what is not named stays as it is."""

    state: RuleState | None = None
    parameters: dict[str, Any] = {}
    #: Who changes it, for people.
    author: Author = "api"


_decode = msgspec.json.Decoder(RuleSetting).decode

_ID = Parameter(
    "rule_id",
    {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,49}$"},
    "the rule's id",
    "path",
    example="HIGH_AMOUNT_RISKY_COUNTRY",
)
_TAG = r'^("[1-9][0-9]{0,15}"|\*)$'
_IF_MATCH = Parameter(
    "If-Match",
    {"type": "string", "pattern": _TAG},
    "needed: the version that is to be changed, as `ETag` has it, or `*` for any",
    "header",
    example='"1"',
)
#: A rule, and what the next change of it has to name.
_FOUND = Answer(
    "The rule.", OneRule, headers={"ETag": Header("its version, in quotation marks")}
)


@serve(Route("GET", "/api/rules", "The rules of fraud.", {200: Answer("They.", RuleList)}))
async def all_rules(request: web.Request) -> web.Response:
    """All rules."""
    return json(RuleList([_in_force(rule) for rule in rules.all.values()]))


@serve(
    Route(
        "GET",
        "/api/rules/{rule_id}",
        "One rule of fraud.",
        {200: _FOUND},
        parameters=(_ID,),
        errors=(404,),
    )
)
async def one_rule(request: web.Request) -> web.Response:
    """One rule."""
    return _answer(_asked(request))


@serve(
    Route(
        "PUT",
        "/api/rules/{rule_id}",
        "Change a rule of fraud: its state, parameters, or both.",
        {200: _FOUND},
        parameters=(_ID, _IF_MATCH),
        body=RuleSetting,
        example={"state": "shadow", "parameters": {"limit": 500.0}, "author": "ann"},
        errors=(401, 403, 404, 408, 412, 413, 415, 422, 428, 503),
        guarded=True,
    ),
    seconds=BODY_SECONDS + 2 * KAFKA_PATIENCE,
)
async def set_rule(request: web.Request) -> web.Response:
    """Change a rule; answered when Kafka has the change, and it holds."""
    check_writer(request)
    rule, version = _asked(request), _read_version(request)
    wanted = parsed(_decode, await read_json(request), "change of a rule")
    if not app.ready:
        raise unavailable("Kafka is not reachable: nothing was changed")
    values = wanted.parameters
    change = Wanted(rule.id, wanted.state, values, wanted.author, version)
    try:
        async with asyncio.timeout(KAFKA_PATIENCE):
            _, after = await control.change(
                change, control.follower.look, topics.control.send_one
            )
    except WrongVersion as error:
        raise Problem(412, str(error), FieldError("If-Match", "the version in force")) from None
    except ValueError as error:
        raise Problem(422, str(error), FieldError("parameters", str(error))) from None
    except (FatalError, TransientError, TimeoutError) as error:
        raise unavailable(
            "Kafka did not confirm the change in time; it may have been written: look at the "
            "rule before you try again"
        ) from error
    return _answer(after)


def _asked(request: web.Request) -> Rule:
    rule_id = request.match_info["rule_id"]
    if rule_id not in rules.all:
        raise Problem(404, f"there is no rule {shown(rule_id)}")
    return rules.all[rule_id]


def _read_version(request: web.Request) -> int | None:
    """The version that is to be changed, None for any; raises `Problem`."""
    tags = request.headers.getall("If-Match", [])
    if not tags:
        text = "this needs the header If-Match with the version that is to be changed"
        raise Problem(428, f"{text}, as ETag has it", FieldError("If-Match", '"1"'))
    if len(tags) > 1 or not re.fullmatch(_TAG, tags[0]):
        text = ", ".join(tags).encode(errors="replace").decode()
        raise bad_parameter("If-Match", text, 'one version in quotation marks, "1", or *')
    return None if tags[0] == "*" else int(tags[0].strip('"'))


def _in_force(rule: Rule) -> RuleInForce:
    return RuleInForce(rule.id, rule.text, rule.state, rule.version, rule.written())


def _answer(rule: Rule) -> web.Response:
    return json(OneRule(_in_force(rule)), headers={"ETag": f'"{rule.version}"'})
