"""A worker's end has bounds, whatever does not answer: Kafka, a store, a collector of traces.

aiokafka's and Faust's own waits have none while a broker is away. First the agents finish what
was read and it is committed, in a time of its own; all that is let go of after that shares one
deadline.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

from orderapp.engine.observe.logs import say_rest

logger = logging.getLogger(__name__)

#: Seconds that a stop, or a rebalance, waits for the agents to finish what they have.
DRAIN_SECONDS = 5.0
#: Seconds that a stop then waits for Kafka to take the last commit, and for everything that is
#: let go of after it.
COMMIT_SECONDS, CLOSING_SECONDS = 1.0, 1.0
#: Seconds that each thing to be let go of has in any case: enough to close a socket.
LEAST_SECONDS = 0.1
#: Seconds until a worker that is told to stop, and can't, ends anyhow. The last resort: for an
#: agent that can't be cancelled, or an event loop that hangs.
STOP_SECONDS = 8.0
#: Seconds that threads have to end after everything else.
EXIT_SECONDS = 0.5


class Stopping:
    """The stop of this process's worker; nothing is bounded by it before it begins."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._watchdog: threading.Timer | None = None

    def begin(self) -> None:
        """The worker was told to stop."""
        self._watchdog = _later(STOP_SECONDS, _give_up)

    def close_within(self, seconds: float) -> None:
        """From now on `left` goes by this deadline."""
        self._deadline = time.monotonic() + seconds

    def left(self, seconds: float) -> float:
        """So many seconds, or what is left of the stop when that is less."""
        if self._deadline is None:
            return seconds
        return max(LEAST_SECONDS, min(seconds, self._deadline - time.monotonic()))

    def end(self, status: int) -> None:
        """Everything has stopped: let no thread that waits for something outside hold up the
        exit. Python joins them all, without a bound."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            _later(EXIT_SECONDS, lambda: os._exit(status))


def _later(seconds: float, act: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer


def _give_up() -> None:
    # Nothing is lost: what was not committed comes again.
    say_rest()
    logger.error("the worker did not stop within %g s: it exits as it is", STOP_SECONDS)
    os._exit(1)


stopping = Stopping()
