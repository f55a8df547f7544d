"""How far a check, or another command, is: one line that changes, on a terminal only."""

import sys
import time
from typing import Self

WIDTH = 30
#: Seconds between two changes of the line.
EVERY = 0.1
_CLEAR = "\r\033[K"


class Line:
    """The line, at the bottom of the terminal while it is open: what comes then stands alone.
    It says nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._shown > 0:
            self._write(_CLEAR)

    def is_due(self) -> bool:
        """Whether to show it now."""
        return self._terminal and time.monotonic() >= self._shown + EVERY

    def show(self, text: str) -> None:
        """Change it."""
        self._shown = time.monotonic()
        self._write(_CLEAR + text)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


class Progress(Line):
    """Counts up to `total`, which may be an estimate."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self._done = 0

    def restart(self, total: int) -> None:
        """Begin to count to another total."""
        self.total, self._done = total, 0

    def add(self, count: int, what: str) -> None:
        """So many more are done; `what` is being done."""
        self._done += count
        if self.is_due():
            part = min(1.0, self._done / self.total) if self.total else 0.0
            self.show(f"[{'#' * round(part * WIDTH):<{WIDTH}}] {part:4.0%} {what}")
