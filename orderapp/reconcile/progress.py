"""How far a check is: one line that changes, on a terminal only."""

import sys
import time
from typing import Self

WIDTH = 30
EVERY = 0.1


class Progress:
    """Counts up to `total`, which may be an estimate, and shows it while it is open."""

    def __init__(self) -> None:
        self.total = 0
        self._done = 0
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._terminal and self._shown:
            sys.stderr.write("\r\033[K")  # the result stands alone
            sys.stderr.flush()

    def restart(self, total: int) -> None:
        """Begin to count to another total."""
        self.total, self._done = total, 0

    def add(self, count: int, what: str) -> None:
        """So many more are done; `what` is being done."""
        self._done += count
        now = time.monotonic()
        if not self._terminal or now < self._shown + EVERY:
            return
        self._shown = now
        part = min(1.0, self._done / self.total) if self.total else 0.0
        bar = "#" * round(part * WIDTH)
        sys.stderr.write(f"\r\033[K[{bar:<{WIDTH}}] {part:4.0%} {what}")
        sys.stderr.flush()
