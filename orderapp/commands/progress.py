"""How far a command is: one line at the bottom of a terminal, gone when the work is done."""

import sys
import time
from types import TracebackType
from typing import Self

#: Seconds between two changes of the line.
EVERY = 0.1
_CLEAR = "\r\x1b[K"


class Progress:
    """Call it with what is done; use it with `with`. It says nothing where stderr is no
    terminal. `total` is None where it is not known."""

    def __init__(self, done: str, total: int | None = None) -> None:
        self._done, self._total = done, total
        self._terminal = sys.stderr.isatty()
        self._said = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __call__(self, count: int) -> None:
        """So many are done."""
        if not self._terminal or time.monotonic() - self._said < EVERY:
            return
        self._said = time.monotonic()
        of = "" if self._total is None else f" of {self._total:,}"
        self._write(f"{_CLEAR}{self._done} {count:,}{of} …")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._said > 0:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
