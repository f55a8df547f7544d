"""File locks (`flock`) that the system drops when their holder ends, however it ends."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from orderapp.engine.embedded.errors import EmbeddedBrokerError

POLL_SECONDS = 0.05


class FileLock:
    """An open lock file. Closing it drops the lock, unless a child process inherited it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the lock; may be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def try_lock(self, *, shared: bool = False) -> bool:
        """Take the lock if nobody is in the way."""
        import fcntl  # Windows has none; the package must import there too

        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.fd, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(
        self, *, shared: bool = False, timeout: float, pause: Callable[[float], object]
    ) -> None:
        """Take the lock within `timeout` seconds; `pause(seconds)` waits, and may raise.

        It asks again and again because a blocking `flock` in a thread cannot be interrupted."""
        deadline = time.monotonic() + timeout
        while not self.try_lock(shared=shared):
            if time.monotonic() > deadline:
                raise EmbeddedBrokerError(
                    f"another process holds {self.path} for more than {timeout:.0f} s; "
                    "end that process, or use another ORDERAPP_DATA_DIR"
                )
            pause(POLL_SECONDS)
