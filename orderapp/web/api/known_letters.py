"""The dead letters that this worker knows of, and what they say about an order."""

from typing import NamedTuple

from orderapp.app import app
from orderapp.engine.dead_letters.known import Known, KnownDeadLetters
from orderapp.engine.dead_letters.read import State
from orderapp.letters.opened import TOPIC
from orderapp.letters.select import order_of
from orderapp.store import DeadLetterDocument, OrderStory
from orderapp.web.server.problems import unavailable

letters = KnownDeadLetters(lambda: app.cluster, TOPIC, order_of)
app.resources.append(letters)
app.topic_listeners.append(lambda _: letters.begin_anew())


#: Seconds that an answer waits which is nothing without them.
PATIENCE = 1.2


class Told(NamedTuple):
    """What became of an order's dead letters."""

    #: None: it is not known.
    state: State | None
    #: The services for which nothing was done yet.
    open_for: tuple[str, ...]
    #: When something was done last, if nothing is left to do.
    resolved_at: str | None = None


async def look_for(*stories: OrderStory | None) -> None:
    """See what is new of dead letters, if any of these orders has one."""
    if any(story and story.dead_letter for story in stories):
        await letters.look()


async def need(*, current: bool) -> None:
    """Raise `Problem` when dead letters are not known; `current`: as they are now."""
    is_current = await letters.look(PATIENCE)
    if not (is_current or (letters.was_read and not current)):
        raise unavailable(
            "which dead letters there are is not known: Kafka has not said so yet"
        )


def told(letter: DeadLetterDocument) -> Told:
    """What became of the dead letters of an order that has this one, its last."""
    same = letters.of(letter.order_id) if letters.was_read else []
    own = next((known for known in same if _is_it(known, letter)), None)
    if own is None:  # newer than the last look, or older than all that is known
        return Told(None, tuple(letter.service.split(",")))
    open_for = dict.fromkeys(name for known in same for name in known.open_for)
    if open_for or own.resolution is None:
        return Told("open", tuple(open_for))
    return Told(own.state, (), own.resolution.at)


def _is_it(known: Known, letter: DeadLetterDocument) -> bool:
    at = letter.kafka_partition, letter.kafka_offset
    # Of an earlier version's documents the timestamp is not known.
    return known.place == at and letter.kafka_timestamp in (0, known.timestamp)


def open_orders(service: str | None = None) -> frozenset[int]:
    """The orders that have an open dead letter: of this service, or of any that has stored
    the order."""
    return frozenset(
        known.about
        for known in letters.letters
        if known.about is not None
        and known.is_open
        and (service in known.open_for if service else "analytics" not in known.open_for)
    )
