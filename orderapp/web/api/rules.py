"""Rules of fraud: how they are in force, and changed; each changes the version that it saw."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from orderapp import control, topics
from orderapp.control import Wanted
from orderapp.judging import rules
from orderapp.models import Author, RuleState
from orderapp.rule import Rule
from orderapp.web.api.body import BODY_SECONDS, parsed, read_json
from orderapp.web.api.routes import Answer, Header, Parameter, Route, json, serve
from orderapp.web.api.rule_figures import all_rule_figures
from orderapp.web.api.rules_answer import OneRule, RuleList, changed, in_force
from orderapp.web.api.versions import (
    IF_MATCH,
    KAFKA_PATIENCE,
    check_kafka,
    read_version,
    refusals,
)
from orderapp.web.server.problems import Problem, shown


class RuleSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule shall be; what is not named stays as it is."""

    state: RuleState | None = None
    parameters: dict[str, Any] = {}
    #: Who changes it, for people.
    author: Author = "api"


#: Changes that are listed: the last ones.
MOST = 50

_decode = msgspec.json.Decoder(RuleSetting).decode

RULE_ID = Parameter(
    "rule_id",
    {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,49}$"},
    "the rule's id",
    "path",
    example="HIGH_AMOUNT_RISKY_COUNTRY",
)
#: A rule, and what the next change of it has to name.
_FOUND = Answer(
    "The rule.", OneRule, headers={"ETag": Header("its version, in quotation marks")}
)


@serve(Route("GET", "/api/rules", "The rules of fraud.", {200: Answer("They.", RuleList)}))
async def all_rules(request: web.Request) -> web.Response:
    """All rules."""
    counted = all_rule_figures()
    changes = [*map(changed, reversed(control.changes.taken[-MOST:]))]
    return json(RuleList([in_force(rule, counted) for rule in rules.all.values()], changes))


@serve(
    Route(
        "GET",
        "/api/rules/{rule_id}",
        "One rule of fraud.",
        {200: _FOUND},
        parameters=(RULE_ID,),
        errors=(404,),
    )
)
async def one_rule(request: web.Request) -> web.Response:
    """One rule."""
    return _answer(asked_rule(request))


@serve(
    Route(
        "PUT",
        "/api/rules/{rule_id}",
        "Change a rule of fraud: its state, parameters, or both.",
        {200: _FOUND},
        parameters=(RULE_ID, IF_MATCH),
        body=RuleSetting,
        example={"state": "shadow", "parameters": {"limit": 500.0}, "author": "ann"},
        errors=(404, 412, 428, 503),
        guarded=True,
    ),
    seconds=BODY_SECONDS + 2 * KAFKA_PATIENCE,
)
async def set_rule(request: web.Request) -> web.Response:
    """Change a rule; answered when Kafka has the change, and it holds."""
    rule, version = asked_rule(request), read_version(request)
    wanted = parsed(_decode, await read_json(request), "change of a rule")
    check_kafka()
    values = wanted.parameters
    change = Wanted(rule.id, wanted.state, values, wanted.author, version)
    with refusals("parameters", "rule"):
        async with asyncio.timeout(KAFKA_PATIENCE):
            _, after = await control.change(
                change, control.follower.look, topics.control.send_one
            )
    return _answer(after)


def asked_rule(request: web.Request) -> Rule:
    """The rule of the path; raises `Problem`."""
    rule_id = request.match_info["rule_id"]
    if rule_id not in rules.all:
        there_are = ", ".join(rules.all)
        raise Problem(404, f"there is no rule {shown(rule_id)}; there are {there_are}")
    return rules.all[rule_id]


def _answer(rule: Rule) -> web.Response:
    found = OneRule(in_force(rule, all_rule_figures()))
    return json(found, headers={"ETag": f'"{rule.version}"'})
