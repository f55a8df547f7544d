"""Where a process is: the stacks of its threads and of the tasks of its event loops.

Places only: no arguments, no locals, nothing that could be a secret. And a watch from outside
the event loop, since one that hangs can't say so itself.
"""

import asyncio
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import PurePath
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

#: The innermost calls of each stack that are shown, and how many stacks: alike ones are one.
DEPTH, MOST = 15, 60

Loops = Mapping[str, asyncio.AbstractEventLoop]


def stacks(loops: Loops) -> str:
    """The stacks of all threads, and of the tasks of these loops (by what they are called),
    the innermost call last. May be called from any thread."""
    found = Counter([*_threads(), *_tasks(loops)])
    shown = [
        f"{what}{f' ({count} of them)' if count > 1 else ''}:\n{stack}"
        for (what, stack), count in islice(found.items(), MOST)
    ]
    left = [f"…and {len(found) - MOST} more"] if len(found) > MOST else []
    return "\n".join([*shown, *left])


def _threads() -> Iterator[tuple[str, str]]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        yield f"thread {names.get(ident, ident)}", _lines(reversed([*_callers(frame)]))


def _callers(frame: FrameType | None) -> Iterator[tuple[FrameType, int]]:
    while frame is not None:
        yield frame, frame.f_lineno or 0
        frame = frame.f_back


def _tasks(loops: Loops) -> Iterator[tuple[str, str]]:
    for name, loop in loops.items():
        for task in asyncio.all_tasks(loop):
            yield f"task of {name}", _lines(_awaited(task.get_coro()))


def _awaited(coroutine: Any) -> Iterator[tuple[FrameType, int]]:
    # A task itself knows only the outermost of its coroutines that wait for one another.
    while coroutine is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(coroutine, f"{kind}_frame", None)
            if frame is not None:
                yield frame, frame.f_lineno or 0
                waits_for = "yieldfrom" if kind == "gi" else "await"
                coroutine = getattr(coroutine, f"{kind}_{waits_for}", None)
                break
        else:
            return


def _lines(frames: Iterable[tuple[FrameType, int]]) -> str:
    places = [_place(frame, line) for frame, line in frames]
    return "\n".join(places[-DEPTH:]) or "  nothing is known of it"


def _place(frame: FrameType, line: int) -> str:
    code = frame.f_code
    file = "/".join(PurePath(code.co_filename).parts[-3:])
    return f"  {file}:{line} {code.co_qualname}"


class LoopWatch:
    """Says once when the event loop has not called `tick` for so many seconds, and where the
    process is; from a thread of its own."""

    def __init__(self, seconds: float, loops: Callable[[], Loops]) -> None:
        self._seconds, self._every = seconds, min(2.0, seconds / 4)
        self._loops = loops
        self._ticked = threading.Event()
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to watch."""
        self._ended.clear()
        threading.Thread(target=self._watch, name="LoopWatch", daemon=True).start()

    def stop(self) -> None:
        """End it; does not wait for it."""
        self._ended.set()

    def tick(self) -> None:
        """The event loop runs."""
        self._ticked.set()

    def _watch(self) -> None:
        # Counted, not taken from a clock: a machine that pauses is no loop that hangs.
        missed, told = 0, False
        while not self._ended.wait(self._every):
            missed = 0 if self._ticked.is_set() else missed + 1
            self._ticked.clear()
            hangs = missed * self._every >= self._seconds
            if hangs and not told:
                logger.error(
                    "stalled, /healthz does not answer: the event loop has hung for %.0f s",
                    missed * self._every,
                    extra={"details": stacks(self._loops())},
                )
            elif told and not hangs:
                logger.info("the event loop no longer hangs")
            told = hangs
