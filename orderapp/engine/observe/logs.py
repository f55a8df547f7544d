"""Which lines the log has: of the libraries few, of many alike ones some.

What an event is about goes into `extra`, under the names in `log_lines.FIELDS`:
`logger.info("reading %d …", n, extra={"key": n})`.
"""

import asyncio
import logging
import time
from contextlib import suppress
from contextvars import ContextVar

#: The service whose work is done now.
working_for: ContextVar[str] = ContextVar("working_for", default="")

#: What they say at INFO is about themselves: rebalances step by step, services that start.
_LIBRARIES = frozenset({"faust", "mode", "aiokafka"})
#: How Faust's services begin their lines: `[^--StoreKeeper]: Starting...`.
_SERVICE = "[^"


class Quiet(logging.Filter):
    """Lets through what the program says itself; of the libraries only what went wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show `record`."""
        library = record.name.partition(".")[0] in _LIBRARIES
        if record.levelno >= logging.WARNING:
            return record.levelno > logging.WARNING or not _is_usual(record)
        return not library and not str(record.msg).startswith(_SERVICE)


def _is_usual(warning: logging.LogRecord) -> bool:
    # A worker came or went; a commit took longer than a second (the metrics have it).
    return warning.name == "mode.timers" or (
        warning.name == "aiokafka.consumer.group_coordinator"
        and str(warning.msg).endswith("because it is rebalancing")
    )


class Few:
    """Says the first `most` of many events in `seconds`, and of the others how many: when that
    time is over, also if nothing follows, or when the program ends (`say_rest`)."""

    def __init__(
        self,
        logger: logging.Logger,
        level: int = logging.INFO,
        what: str = "",
        *,
        most: int = 5,
        seconds: float = 10.0,
    ) -> None:
        self._logger, self._level = logger, level
        self._what = f" {what}" if what else ""
        self._most, self._seconds = most, seconds
        self._began = float("-inf")
        self._left, self._unsaid = most, 0
        self._timer: asyncio.TimerHandle | None = None

    def room(self, events: int = 1) -> int:
        """How many of `events` may be said now; call it with each batch of them."""
        now = time.monotonic()
        if now - self._began >= self._seconds:
            self.say_rest()
            self._began, self._left = now, self._most
        said = min(events, self._left)
        self._left -= said
        if said < events:
            if not self._unsaid:
                self._say_rest_in(self._began + self._seconds - now)
            self._unsaid += events - said
        return said

    def _say_rest_in(self, seconds: float) -> None:
        _unfinished.add(self)
        with suppress(RuntimeError):  # without a loop the next event says it, or the end
            self._timer = asyncio.get_running_loop().call_later(seconds, self.say_rest)

    def say_rest(self) -> None:
        """Say how many were left out since the last ones, if any were."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        _unfinished.discard(self)
        if self._unsaid:
            since = time.monotonic() - self._began
            line = "…and %d more%s in %.0f s"
            self._logger.log(self._level, line, self._unsaid, self._what, since)
            self._unsaid = 0


_unfinished: set[Few] = set()


def say_rest() -> None:
    """Say what all of them have left out, before the program ends."""
    for few in tuple(_unfinished):
        few.say_rest()
