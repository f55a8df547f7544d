"""`GET /api/rules/{rule_id}/test`: the command `rules test`, for a page and for programs."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from shlex import join
from typing import TypeVar

import msgspec
from aiohttp import web

from orderapp.app import app
from orderapp.backtest_report import NO_ORDERS, RuleTest
from orderapp.engine.observe.texts import complaint, one_line, printable
from orderapp.engine.observe.times import read_moment
from orderapp.rule import Rule
from orderapp.web.api import beside
from orderapp.web.api.routes import Answer, Parameter, Route, json, serve
from orderapp.web.api.rules import RULE_ID, asked_rule
from orderapp.web.server.problems import FieldError, Problem, unavailable

logger = logging.getLogger(__name__)

#: Seconds that a test may take, and its priority. With the lowest one a core that others fill
#: leaves it a hundredth, and it would never end in time.
LONGEST, NICENESS = 30.0, 5
#: Seconds between two looks whether its answer is still wanted.
LOOK = 0.25

T = TypeVar("T")

_SET = Parameter(
    "set",
    {"type": "array", "items": {"type": "string", "minLength": 1}},
    "`NAME=VALUE`: another value of a parameter of the rule; lists as NG,RU. May be repeated, "
    "for other parameters",
    example=["limit=3"],
)
_SINCE = Parameter(
    "since",
    {"type": "string", "minLength": 1},
    "only orders of this time (RFC 3339, or a date) or later; `7d` is seven days ago (s, m, h, "
    "d, w)",
    example="7d",
)
_decode = msgspec.json.Decoder(RuleTest).decode
_room = asyncio.Semaphore(1)


@serve(
    Route(
        "GET",
        "/api/rules/{rule_id}/test",
        "What a rule would have raised in the history of orders, whatever its state is, with "
        "these parameters. Nothing is sent or changed. A worker makes one test at a time, of "
        f"{LONGEST:g} s at most, in a process of a lower priority.",
        {200: Answer("What it would have raised.", RuleTest)},
        parameters=(RULE_ID, _SET, _SINCE),
        errors=(404, 422, 503),
    ),
    seconds=None,
)
async def test(request: web.Request) -> web.Response:
    """Run the command; it ends when its answer is not wanted any more."""
    rule = asked_rule(request)
    words = _words(rule, request.query.getall("set", ()), request.query.get("since"))
    if _room.locked():
        raise unavailable("a rule is being tested, and a worker tests one at a time")
    async with _room:
        return json(await _while_wanted(request, _test(words)))


def _words(rule: Rule, settings: Sequence[str], since: str | None) -> list[str]:
    """The command's, for what was asked; raises `Problem`."""
    with _refusing("set"):
        rule.read_all(settings)
        if any("\0" in setting for setting in settings):
            raise ValueError("no value may have the character NUL")
    words = ["rules", "test", rule.id, *(f"--set={setting}" for setting in settings)]
    if since is None:
        return words
    with _refusing("since"):
        if read_moment(since) > datetime.now(UTC):
            raise ValueError("since is later than until, which is now")
    return [*words, f"--since={since}"]


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What is wrong there is wrong with this parameter."""
    try:
        yield
    except ValueError as error:
        raise _wrong(name, one_line(error)) from error


def _wrong(name: str, text: str, status: int = 400) -> Problem:
    return Problem(status, text, FieldError(name, text))


async def _test(words: Sequence[str]) -> RuleTest:
    try:
        done = await beside.run(*words, "--json", niceness=NICENESS, seconds=LONGEST)
    except TimeoutError:
        text = (
            f"this takes longer than the {LONGEST:g} s that a test may take here: give a later "
            f"since, or run {join(['faust', '-A', 'orderapp', *words])}"
        )
        raise _wrong("since", text, 422) from None
    lines = done.complaint.splitlines()
    if lines and lines[-1].startswith(complaint(NO_ORDERS)):
        raise _wrong("since", lines[-1].removeprefix(complaint("")), 404)
    if lines or done.status:
        said = printable("; ".join(lines))
        logger.warning("rules test ended with status %d: %s", done.status, said)
    try:
        return _decode(done.out)
    except msgspec.MsgspecError:
        raise unavailable("the orders can't be read; the worker's log says why") from None


async def _while_wanted(request: web.Request, work: Coroutine[None, None, T]) -> T:
    """What `work` comes to; it ends when the client leaves, and when the worker stops."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=LOOK))[0]:
            if request.transport is None:
                raise ConnectionResetError
            if app.should_stop:
                raise unavailable("this worker stops; ask another one, or later")
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])
