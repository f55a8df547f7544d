"""Runs the command `reconcile` beside the worker, and keeps what came of it."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Literal

import msgspec
from mode import Service

from orderapp.app import app, settings
from orderapp.engine.health.lag import LagUnknownError
from orderapp.engine.observe.texts import one_line
from orderapp.engine.observe.times import Time, iso_at
from orderapp.web.api import beside, progress

logger = logging.getLogger(__name__)

#: Records of orders, alerts and payments up to which a worker checks them: a million take some
#: 20 s of CPU time, at the lowest priority, and 120 MB in a process of their own.
MOST = 1_000_000
#: Seconds that a check may take, and after which the first one of a worker begins.
PATIENCE, FIRST = 600.0, 60.0
#: Records that may wait while the services count as idle, and seconds between two looks.
IDLE, LOOK = 1_000, 15.0
READ = ("orders", "fraud-alerts", "payments")

Problem = Literal["too_large", "failed", "too_long", "kafka_away"]


class Found(msgspec.Struct, frozen=True):
    """How many orders or records disagree in one way, and the first ten."""

    count: int
    examples: list[int | str]


class Lost(msgspec.Struct, frozen=True):
    """Records, at most, that Kafka deleted unread."""

    records: int


class Report(msgspec.Struct, frozen=True):
    """What `reconcile --json` prints, as far as it is shown."""

    status: Literal["agree", "disagree", "lost", "dead_letters"]
    orders: int
    lost: Lost
    disagreements: dict[str, Found]


@dataclass(frozen=True)
class Checked:
    """A check that came to its end, `at` (Unix time in s) after `seconds`."""

    at: float
    seconds: float
    report: Report


class FailedCheck(msgspec.Struct, frozen=True):
    """A check that came to no result: there are more records than a worker checks by itself
    (`too_large`), it took too long, Kafka was away, or it failed, and the log says why."""

    at: Time
    why: Problem


_decode = msgspec.json.Decoder(Report).decode


class Checker(Service):
    """One check at a time: each `every` seconds (0: never by itself), and when it is told."""

    def __init__(self, every: float) -> None:
        self.every = every
        self.checked: Checked | None = None
        #: The last one that failed, if it was after that.
        self.failed: FailedCheck | None = None
        #: Whether one is due, and the services are not idle.
        self.is_waiting = False
        self._task: asyncio.Task[None] | None = None
        super().__init__()

    @property
    def is_running(self) -> bool:
        """Whether a check is running."""
        return self._task is not None and not self._task.done()

    def begin(self) -> asyncio.Task[None]:
        """Begin a check, or go on with the one that runs."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._check())
        return self._task

    @Service.task
    async def _repeat(self) -> None:
        if not self.every:
            return
        await self.sleep(min(FIRST, self.every))
        while not self.should_stop:
            self.is_waiting = True
            while not self.should_stop and not await _is_idle():
                await self.sleep(LOOK)
            self.is_waiting = False
            if not self.should_stop:
                await asyncio.wait([self.begin()])
                await self.sleep(self.every)

    async def on_stop(self) -> None:
        """End a check that is running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _check(self) -> None:
        began = time.time()
        found = await _outcome()
        now = time.time()
        if isinstance(found, Report):
            self.checked, self.failed = Checked(now, now - began, found), None
        else:
            self.failed = FailedCheck(iso_at(now), found)


async def _outcome() -> Report | Problem:
    try:
        async with asyncio.timeout(PATIENCE):
            return "too_large" if await _records() > MOST else await _run()
    except LagUnknownError:
        return "kafka_away"
    except TimeoutError:
        return "too_long"
    except (OSError, ValueError) as error:
        logger.warning("reconcile failed: %s", one_line(error))
        return "failed"


async def _is_idle() -> bool:
    look = await progress.look() if app.ready else None
    if look is None:
        return False
    return sum(at.lag for at in look.services.values() if at is not None) <= IDLE


async def _records() -> int:
    """Records to be read; raises `LagUnknownError`."""
    await progress.monitor.look()
    sizes = await progress.monitor.sizes(READ)
    return sum(end - begin for begin, end in sizes.values())


async def _run() -> Report:
    """Run the command; raises ValueError with what it complains of, and as `beside.run`."""
    done = await beside.run("reconcile", "--json", niceness=19, seconds=PATIENCE)
    try:
        return _decode(done.out)
    except msgspec.MsgspecError:
        raise ValueError(done.complaint or "no output") from None


checker = Checker(settings.web.reconcile_every)
app.resources.append(checker)
