"""A limit on what a service gives up: what fails for nearly every record is no record's fault.

A bad deployment raises for whatever it gets. Each record would become a dead letter, at full
speed, and none of them has anything wrong. So when too many of a service's records fail in a
minute, and too large a share of them, it gives nothing up any more: it takes no new work, says
so, and tries what it has again, ever more slowly, until that passes.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from orderapp.engine.delivery import retry
from orderapp.engine.delivery.retry import pause, slow_waits
from orderapp.engine.observe.blocked import blocked

#: Seconds of which the failures count.
WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """How many records a minute, and what share of its records (0 to 1), a service may give up
    for reasons that do not lie in them. More of both is too much; no share is more than 1."""

    most: int = 100
    share: float = 0.5


class _Seen(NamedTuple):
    at: float
    failed: int
    #: All that had gone well by then.
    well: float


class Limit:
    """What one service has given up lately. Nothing is counted while nothing fails."""

    def __init__(self, service: str, give_up: GiveUp) -> None:
        self._service = service
        self._give_up = give_up
        self._window: deque[_Seen] = deque()
        self._turn = asyncio.Lock()
        self._waits = slow_waits()
        self._waiting = 0
        self.is_reached = False

    def allows(self, failed: int, done: int, well: float, error: Exception) -> bool:
        """Whether `failed` more records may be given up, the first of them for `error`.

        `done` are those that came with them and went well, `well` all that did before."""
        if not self.is_reached and self._is_too_much(failed, done, well):
            self.is_reached, self._waits = True, slow_waits()
            blocked.block(
                self,
                f"{self._service}: too many of its records fail ({type(error).__name__}), "
                "which is hardly their fault: it waits, and gives nothing up; look at its last "
                "change, and at what it depends on",
            )
        return not self.is_reached

    def _is_too_much(self, failed: int, done: int, well: float) -> bool:
        now = time.monotonic()
        while self._window and now - self._window[0].at > WINDOW:
            self._window.popleft()
        self._window.append(_Seen(now, failed, well))
        total = sum(seen.failed for seen in self._window)
        among = total + done + well - self._window[0].well
        return total > self._give_up.most and total > self._give_up.share * among

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait of work that has failed."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def gone(
        self, attempt: Callable[[], Awaitable[tuple[int, int]]], check: Callable[[], None]
    ) -> None:
        """Return when the cause may be gone.

        Who waits takes turns: `attempt` tries its own work and says how many of how many
        records failed. `check` raises when nobody waits for it any more."""
        while self.is_reached:
            async with self._turn:
                if self.is_reached:
                    await pause(next(self._waits), check)
                    self.look(*await attempt())
            # Whoever else waits for a turn has it first.
            await asyncio.sleep(0)

    def look(self, failed: int, total: int) -> None:
        """Note how many of how many records failed that were tried while it was reached."""
        if self.is_reached and failed <= self._give_up.share * total:
            self._window.clear()
            self.is_reached = False
            blocked.free(self)

    async def admit(self, check: Callable[[], None]) -> None:
        """Return when new work may begin: the limit is not reached, or nobody is left of those
        who could find out that its cause is gone."""
        while self.is_reached and self._waiting:
            await pause(retry.LOOK, check)
