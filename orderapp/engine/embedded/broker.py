"""The broker as its users see it: join it, and leave it."""

import logging
import os
import shutil
import threading
import time
from functools import cached_property
from pathlib import Path

from orderapp.engine.embedded import start, storage
from orderapp.engine.embedded.errors import OR_OWN_KAFKA, EmbeddedBrokerError, unusable
from orderapp.engine.embedded.locks import POLL_SECONDS, FileLock
from orderapp.engine.embedded.log import last_words
from orderapp.engine.embedded.ports import LOOPBACK, cluster_at, is_free
from orderapp.engine.private import DIRECTORY

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
END_SECONDS = 30.0  # the launcher needs at most 5 s and a little to end a broker
DOWNLOAD_SECONDS = 900.0
ATTEMPTS = 3
LEAST_FREE_BYTES = 1_000_000


class EmbeddedBroker:
    """One user's part of the broker of a data directory.

    The first user starts it, the others find it, and it ends when the last one has left or
    died. Files and locks are explained in `launcher.py`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._mutex = threading.Lock()
        self._given_up = threading.Event()
        self._user: FileLock | None = None

    @cached_property
    def _directory(self) -> Path:
        # At its first use: Faust heeds `--workdir` after it has imported the app.
        return self._data_dir.absolute() / "kafka"

    def join(self) -> str:
        """Return the broker's `host:port` once it works, starting it if nobody has.

        Blocks, on the first start for as long as the download takes. May be called again:
        it then makes sure that the broker still works, on the same port if possible."""
        if os.name != "posix":
            raise EmbeddedBrokerError(
                f"the embedded broker needs Linux or macOS; use one of them, {OR_OWN_KAFKA}"
            )
        with self._mutex:
            self._given_up.clear()
            try:
                return f"{LOOPBACK}:{self._join()}"
            except OSError as error:
                self._drop()
                way_out = "set ORDERAPP_DATA_DIR to a directory to write to"
                raise unusable(self._directory, error, way_out) from error
            except BaseException:  # also Ctrl-C: a failed join must not keep the broker alive
                self._drop()
                raise

    def is_running(self, address: str) -> bool:
        """Whether the launcher lives, which brings back a broker that dies, and has it at this
        address: another user may have had to start it elsewhere."""
        port = start.recorded_port(self._directory)
        return self._launcher_lives() and address == f"{LOOPBACK}:{port}"

    def leave(self) -> None:
        """Stop using the broker; it ends soon if this was the last user. Never waits for it.

        A `join` in another thread gives up. Without a `join` this does nothing."""
        self._given_up.set()
        # A join that is busy with the network drops the lock itself when it notices.
        if self._mutex.acquire(timeout=1.0):
            self._drop()
            self._mutex.release()

    def _drop(self) -> None:
        if self._user is not None:
            self._user.close()
            self._user = None

    def _pause(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            raise EmbeddedBrokerError("the embedded broker was left before it was up")

    def _join(self) -> int:
        self._directory.mkdir(DIRECTORY, parents=True, exist_ok=True)
        if self._user is None:
            self._user = FileLock(self._directory / "users.lock")
            # Waits only while the launcher is ending the broker of users who all left.
            self._user.lock(shared=True, timeout=END_SECONDS, pause=self._pause)
        with FileLock(self._directory / "join.lock") as turn:
            turn.lock(timeout=DOWNLOAD_SECONDS, pause=self._pause)
            return self._find_or_start()

    def _find_or_start(self) -> int:
        ports: tuple[int, ...]
        for _ in range(ATTEMPTS):
            with FileLock(self._directory / "launcher.lock") as launcher:
                started = launcher.try_lock()
                if started:
                    ports = start.start(self._directory, launcher, self._pause)
                else:
                    ports = (start.recorded_port(self._directory),)
            port = ports[0]
            if self._comes_up(port):
                logger.info(
                    "%s the embedded Kafka at port %d", "Started" if started else "Found", port
                )
                return port
            if started and all(map(is_free, ports)):
                break  # nothing took a port from us, so trying again would not help
        raise self._failed("did not start")

    def _comes_up(self, port: int) -> bool:
        """Wait until Kafka works; False when its launcher ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self._launcher_lives():
                return False
            # Another directory's broker may have been quicker at a port that was free for both.
            if cluster_at(port) == storage.cluster_id(self._directory):
                # Asked last: a Java that has just lost its launcher still answers.
                return self._launcher_lives()
            self._pause(POLL_SECONDS)
        raise self._failed(f"was not up after {START_SECONDS:.0f} s")

    def _launcher_lives(self) -> bool:
        with FileLock(self._directory / "launcher.lock") as launcher:
            return not launcher.try_lock()

    def _failed(self, how: str) -> EmbeddedBrokerError:
        log = start.log_file(self._directory)
        # On a full disk the log itself ends before it can say why.
        full = shutil.disk_usage(self._directory).free < LEAST_FREE_BYTES
        why = f"no space left for {self._directory}" if full else last_words(log)
        return EmbeddedBrokerError(
            f"the embedded broker {how}: {why}; see {log}, {OR_OWN_KAFKA}"
        )
