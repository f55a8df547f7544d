"""Dead letters are replayed or dropped: those at some places, or those that fit filters."""

import asyncio
import logging
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from orderapp.app import app
from orderapp.engine.dead_letters.resolutions import PLACE, Action, Place
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.observe.times import Time, parse_time
from orderapp.letters.resolve import Outcome, Resolve
from orderapp.letters.select import Selection
from orderapp.models import LARGEST
from orderapp.web.api.body import BODY_SECONDS, parsed, read_json
from orderapp.web.api.dead_letters import MAX_ERROR, cluster, kafka_asked
from orderapp.web.api.known_letters import letters
from orderapp.web.api.routes import Answer, Route, json, serve
from orderapp.web.server.problems import FieldError, Problem, shown, unavailable

logger = logging.getLogger(__name__)

#: Places that one request may name, and lines that say what failed.
MOST, LINES = 1_000, 100
#: Seconds for which a request begins with more of them, and after which it is given up.
WORK, PATIENCE = 10.0, 25.0

PlaceText = Annotated[str, Meta(extra_json_schema={"pattern": f"^{PLACE.pattern}$"})]


class LetterChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which open dead letters are meant: those at `places`, or those that fit all filters that
    are given, or `everything`. `error` is a part of an error's class or text; `since` and
    `until` are about the last failure. A `service` narrows what is done to this service. With
    `dry_run` nothing is done."""

    places: Annotated[list[PlaceText], Meta(max_length=MOST)] = []
    service: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    error: Annotated[str, Meta(min_length=1, max_length=MAX_ERROR)] | None = None
    order_id: Annotated[int, Meta(ge=0, le=LARGEST)] | None = None
    since: Time | None = None
    until: Time | None = None
    everything: bool = False
    dry_run: bool = False


class ResolvedLetters(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or would be (`dry_run`), with how many dead letters.

    Of those that were named by their places `already_done` were done before; of those that
    filters chose `skipped` can't be replayed, because their headers are damaged. `complete` is
    false when there was no time for all: the same request goes on with the rest. `errors` has a
    line for each that its topic has refused (the first 100), `notices` for what can't be read
    now."""

    action: Literal["replayed", "dropped"]
    dry_run: bool
    done: int
    already_done: int
    skipped: int
    complete: bool
    errors: list[str]
    notices: list[str]
    status: Literal["ok"] = "ok"


_decode = msgspec.json.Decoder(LetterChoice).decode
_turn = asyncio.Lock()


def _route(verb: str, summary: str) -> Route:
    return Route(
        "POST",
        f"/api/dead-letters/{verb}",
        summary,
        {200: Answer("How many.", ResolvedLetters)},
        body=LetterChoice,
        example={"error": "GatewayTimeoutError", "dry_run": True},
        errors=(503,),
        guarded=True,
    )


@serve(
    _route(
        "replay",
        "Send open dead letters again, to the services that gave them up. What fails again is "
        "a new dead letter. A request that fails can be repeated: at worst a service gets an "
        "order twice, and charges it once.",
    ),
    seconds=BODY_SECONDS + PATIENCE + 1,
)
async def replay(request: web.Request) -> web.Response:
    return await _change(request, "replayed")


@serve(
    _route("drop", "Note that nothing will be done with open dead letters."),
    seconds=BODY_SECONDS + PATIENCE + 1,
)
async def drop(request: web.Request) -> web.Response:
    return await _change(request, "dropped")


async def _change(request: web.Request, action: Action) -> web.Response:
    choice = parsed(_decode, await read_json(request), "choice of dead letters")
    selection, notices = _selection(choice), list[str]()
    with kafka_asked():
        where = cluster()
    end = asyncio.get_running_loop().time() + WORK
    running = Resolve(
        where,
        action,
        selection,
        choice.dry_run,
        notices.append,
        go_on=lambda: asyncio.get_running_loop().time() < end,
    )
    try:
        async with asyncio.timeout(PATIENCE), _turn:
            if selection.places:  # a wrong one is told before anything is done
                looked = Resolve(where, action, selection, True, logger.debug)
                await looked.run()
                _refuse(looked.outcome)
            complete = await running.run()
    except (FatalError, TransientError, TimeoutError) as error:
        raise _failed(error, running.outcome) from error
    finally:
        if not choice.dry_run:
            await letters.look_again()
    return json(_answer(running.outcome, complete, notices))


def _failed(error: Exception, outcome: Outcome) -> Problem:
    logger.warning("dead letters: %s", str(error) or "Kafka did not answer in time")
    done = 0 if outcome.dry_run else outcome.done
    text = f"{done} were {outcome.action} before; " if done else ""
    return unavailable(
        f"Kafka did not do all of it: {text}the request can be repeated; the log says more"
    )


def _answer(outcome: Outcome, complete: bool, notices: list[str]) -> ResolvedLetters:
    return ResolvedLetters(
        action=outcome.action,
        dry_run=outcome.dry_run,
        done=outcome.done,
        already_done=outcome.already_done,
        skipped=outcome.skipped,
        complete=complete,
        errors=outcome.errors[:LINES],
        notices=notices,
    )


def _refuse(outcome: Outcome) -> None:
    """422 for places that can't be done; nothing was done then."""
    if wrong := outcome.errors:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        errors = [FieldError("places", line) for line in wrong[:16]]
        raise Problem(422, f"nothing was done: {wrong[0]}{more}", *errors)


def _selection(choice: LetterChoice) -> Selection:
    selection = Selection(
        places=tuple(_place(n, text) for n, text in enumerate(choice.places)),
        service=choice.service,
        error=choice.error,
        since=_moment("since", choice.since),
        until=_moment("until", choice.until),
        order=choice.order_id,
    )
    if choice.service is not None and choice.service not in app.services.readers:
        allowed = f"one of {', '.join(app.services.readers)}"
        raise _wrong("service", f"{shown(choice.service)} is no service: {allowed}")
    if selection.is_everything() and not choice.everything:
        raise _wrong("places", "which ones? Give places, filters, or everything")
    if choice.everything and not selection.is_everything():
        raise _wrong("everything", "it does not go with places or filters")
    return selection


def _place(number: int, text: str) -> Place:
    try:
        return Place.parse(text)
    except ValueError:
        wrong = f"{shown(text)} is no place: give PARTITION:OFFSET, such as 3:17"
        raise _wrong(f"places[{number}]", wrong) from None


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise _wrong(name, str(error)) from None


def _wrong(name: str, text: str) -> Problem:
    return Problem(422, f"{name}: {text}", FieldError(name, text))
