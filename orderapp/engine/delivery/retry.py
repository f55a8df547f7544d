"""Trying again, and how long to wait before it."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache

from orderapp.engine.errors import TransientError
from orderapp.engine.observe.held_up import held_up, standing_still
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.texts import one_line

logger = logging.getLogger(__name__)

#: Seconds; each wait is doubled up to the last, and varied by a quarter so that workers
#: that failed together do not come back together.
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
#: The same for what somebody has to mend first.
FIRST_SLOW_WAIT, LONGEST_SLOW_WAIT = 1.0, 30.0
#: Seconds between two looks whether what waits is still wanted.
LOOK = 1.0


@dataclass(frozen=True)
class Retry:
    """How often a record is tried whose work fails by an error that may pass
    (`RetryableError`), and the seconds between: the first wait is doubled up to the longest."""

    attempts: int = 1
    first_wait: float | None = None
    longest_wait: float | None = None

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each new try, without end."""
        return _doubled(self.first_wait or FIRST_WAIT, self.longest_wait or LONGEST_WAIT, 1.25)


def waits() -> Iterator[float]:
    """Seconds to wait before each new try, without end."""
    return Retry().waits()


def slow_waits() -> Iterator[float]:
    """The same for what somebody has to mend first; none is longer than the longest."""
    return _doubled(FIRST_SLOW_WAIT, LONGEST_SLOW_WAIT, 1.0)


def _doubled(wait: float, longest: float, most: float) -> Iterator[float]:
    while True:
        yield wait * random.uniform(0.75, most)  # noqa: S311 - no secret
        wait = min(wait * 2, longest)


async def pause(seconds: float, check_wanted: Callable[[], None]) -> None:
    """Wait; `check_wanted` raises when nobody waits for it any more."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LOOK))
        check_wanted()


async def persist(
    what: str, attempt: Callable[[], Awaitable[None]], place: Hashable = None
) -> None:
    """Call `attempt` until it raises nothing that passes; meanwhile `place` is held up, and
    `what` stands still."""
    try:
        await attempt()
    except TransientError as error:
        with held_up.waiting(place), standing_still.waiting(what):
            await _again(what, attempt, error, place)


@cache
def _few(place: Hashable) -> Few:
    # Thousands of records may be waiting to become dead letters while Kafka is away.
    name = f"{place[0]}[{place[1]}]" if isinstance(place, tuple) else place
    return Few(logger, logging.WARNING, f"tries for {name}", most=10)


async def _again(
    what: str, attempt: Callable[[], Awaitable[None]], error: TransientError, place: Hashable
) -> None:
    for tries, wait in enumerate(waits(), start=1):
        if place is None or _few(place).room():
            text = one_line(error)
            logger.warning("%s: %s (attempt %d, next in %.1f s)", what, text, tries, wait)
        await asyncio.sleep(wait)
        try:
            await attempt()
        except TransientError as failure:
            error = failure
        else:
            if place is None or _few(place).room():
                logger.info("%s: done at attempt %d", what, tries + 1)
            return
