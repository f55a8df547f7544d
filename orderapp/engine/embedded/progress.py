"""How far the first download is: one line that changes on a terminal, else log lines."""

import logging
import sys
from pathlib import Path
from typing import Self

logger = logging.getLogger(__name__)

MEGABYTE = 1_000_000


class Progress:
    """Counts the fetched jars and bytes, and says so while it is open."""

    def __init__(self, files: int, size: int, target: Path) -> None:
        self.files, self.size = files, size
        self.fetched_files = self.fetched = 0
        self.title = f"Fetching Apache Kafka (once, into {target})"
        self.terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self.terminal:
            self._show()
        else:
            # A warning, since a worker shows nothing below unless told to, and the start
            # takes much longer than it will ever again.
            logger.warning("%s: %.1f MB", self.title, self.size / MEGABYTE)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.terminal:
            sys.stderr.write("\n")
        elif self.fetched_files == self.files:
            logger.warning("Fetched Apache Kafka: %d jars", self.files)

    def add(self, size: int) -> None:
        """One more file of this size is here."""
        quarter = 4 * self.fetched // self.size
        self.fetched_files += 1
        self.fetched += size
        if self.terminal:
            self._show()
        elif 4 * self.fetched // self.size > quarter and self.fetched < self.size:
            logger.info("%s", self._state())

    def _show(self) -> None:
        sys.stderr.write(f"\r{self.title}: {self._state()}")
        sys.stderr.flush()

    def _state(self) -> str:
        done, size = self.fetched / MEGABYTE, self.size / MEGABYTE
        return f"{done:4.1f} of {size:.1f} MB, {self.fetched_files} of {self.files} jars"
