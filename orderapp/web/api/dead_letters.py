"""Dead letters: listed as far as this worker knows them, and one as it lies in Kafka."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from orderapp.app import app
from orderapp.engine.dead_letters.resolutions import PLACE as PATTERN
from orderapp.engine.dead_letters.resolutions import Place
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.letters.opened import opened
from orderapp.letters.resolve import addresses_of
from orderapp.letters.select import Selection
from orderapp.models import LARGEST
from orderapp.web.api import parameters as read
from orderapp.web.api.known_letters import letters, need
from orderapp.web.api.letter_answers import LetterDetail, LetterPage, OneLetter, detailed_letter
from orderapp.web.api.letter_listing import MARK, LetterQuery, page_of, read_mark
from orderapp.web.api.routes import Answer, Parameter, Route, json, serve
from orderapp.web.server.problems import Problem, bad_parameter, unavailable

logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 50
#: Seconds that Kafka has for one letter; characters of an error that is looked for.
KAFKA_PATIENCE, MAX_ERROR = 8.0, 200
STATES = ("open", "replayed", "dropped")
_NEXT = "the `next` of the page before, unchanged"

_STATUS = Parameter(
    "status",
    {"type": "string", "enum": list(STATES)},
    "only those in this state; `replayed` and `dropped`: nothing is left to do",
)
_SERVICE = Parameter(
    "service",
    {"type": "string", "minLength": 1, "maxLength": 64},
    "only those that this service gave up, with the state that they have for it",
)
_ERROR = Parameter(
    "error",
    {"type": "string", "minLength": 1, "maxLength": MAX_ERROR},
    "only those with this in the error's class or text; `damaged`: those with damaged headers",
)
_ORDER = Parameter(
    "order_id",
    {"type": "integer", "minimum": 0, "maximum": LARGEST},
    "only those of this order",
)
_AFTER = Parameter("after", {"type": "string", "pattern": f"^{MARK}$"}, _NEXT)
PLACE = Parameter(
    "place",
    {"type": "string", "pattern": f"^{PATTERN.pattern}$"},
    "PARTITION:OFFSET in the dead-letter topic",
    "path",
    example="3:17",
)


@serve(
    Route(
        "GET",
        "/api/dead-letters",
        "Dead letters, newest first, page by page: the last 10,000 of each partition, as they "
        "were some seconds ago at most. `orderapp dlq list` has all of them.",
        {200: Answer("A page of dead letters, and how many there are.", LetterPage)},
        parameters=(
            read.limit(DEFAULT_LIMIT, "dead letters"),
            _AFTER,
            _STATUS,
            _SERVICE,
            _ERROR,
            _ORDER,
        ),
        errors=(503,),
    )
)
async def dead_letters(request: web.Request) -> web.Response:
    query = _read_query(request)
    await need(current=True)
    # In a thread: sixty thousand would hold up the worker for a while.
    return json(await asyncio.to_thread(page_of, [*letters.letters], query))


@serve(
    Route(
        "GET",
        "/api/dead-letters/{place}",
        "One dead letter, with its headers, key and value.",
        {200: Answer("The dead letter.", OneLetter)},
        parameters=(PLACE,),
        errors=(404, 503),
    ),
    seconds=KAFKA_PATIENCE + 2,
)
async def dead_letter(request: web.Request) -> web.Response:
    text = request.match_info["place"]
    try:
        place = Place.parse(text)
    except ValueError:
        raise bad_parameter("place", text, "PARTITION:OFFSET, such as 3:17") from None
    with kafka_asked():
        # One after the other: whoever may read the page may ask for many.
        async with asyncio.timeout(KAFKA_PATIENCE), _turn:
            found = await _read(place)
    if found is None:
        raise Problem(404, f"{place}: there is no dead letter at this place")
    return json(OneLetter(found))


_turn = asyncio.Lock()


async def _read(place: Place) -> LetterDetail | None:
    selection = Selection((place,), resolved=True)
    async with opened(cluster(), selection, logger.info) as found:
        addresses = await addresses_of(found.reader)
        async for chunk in found.read():
            for letter in chunk:
                return detailed_letter(letter, addresses.objection(letter))
    return None


def cluster() -> Cluster:
    """Kafka, if it was found."""
    if app.cluster is None:
        raise TransientError("Kafka is not reachable yet")
    return app.cluster


@contextmanager
def kafka_asked(about: str = "dead letters") -> Iterator[None]:
    """What goes wrong with Kafka is 503; its text names hosts, and is for the log."""
    try:
        yield
    except (FatalError, TransientError, TimeoutError) as error:
        logger.warning("%s: %s", about, str(error) or "Kafka did not answer in time")
        raise unavailable("Kafka did not answer as it should; the log says more") from error


def _read_query(request: web.Request) -> LetterQuery:
    query = request.query
    after = query.get("after")
    mark = None if after is None else read_mark(after)
    if after is not None and mark is None:
        raise bad_parameter("after", after, _NEXT)
    return LetterQuery(
        limit=read.read_limit(query, DEFAULT_LIMIT),
        after=mark,
        state=read.read_choice(query, "status", STATES),
        service=read.read_choice(query, "service", app.services.readers),
        error=read.read_text(query, "error", MAX_ERROR),
        order_id=read.read_number(query, "order_id", 0, LARGEST),
    )
