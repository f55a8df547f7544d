"""Makes the cache of Kafka's classes: a Kafka of its own is started, ended, and forgotten.

It is run as a script by its path (`python -I -S`) by the launcher, imports neither faust nor
orderapp, and works with what the machine has to spare. Its input is the task, one line of
JSON, and ends when the launcher does; then so does everything here, at once.
"""

import fcntl
import json
import os
import runpy
import select
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

Java = runpy.run_path(str(Path(__file__).with_name("launcher.py")))["Java"]

#: Of 20: others come first, and on a machine that is busy for long it still comes to its end.
NICE = 10
POLL_SECONDS = 0.25
#: How long a step may take; on a machine with nothing else to do it is a few seconds.
LIMIT = 900.0
#: What a broker does after it has opened its port belongs to its start too.
SETTLE_SECONDS = 3.0
#: After so long a cache was for another Java or other jars.
UNUSED_SECONDS = 30 * 86_400


class GivenUpError(Exception):
    """There will be no cache from this training."""


def pause(until: float) -> None:
    """A moment; raises when the launcher has gone, or it takes too long."""
    if select.select([sys.stdin], [], [], POLL_SECONDS)[0] or time.monotonic() > until:
        raise GivenUpError


def run(command: list[str], log: int, port: int | None = None) -> None:
    """Run Java to its end, or until it has opened its port."""
    java = Java(command, log=log)
    until = time.monotonic() + LIMIT
    try:
        while (code := java.exit_code()) is None:
            pause(until)
            if port is not None and is_open(port):
                settled = time.monotonic() + SETTLE_SECONDS
                while time.monotonic() < settled:
                    pause(until)
                java.process.terminate()
                port = None
    except GivenUpError:
        java.process.kill()
        java.stop()
        raise
    # A server that is ended says 143.
    if code not in {0, 143}:
        raise GivenUpError


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def train(task: dict[str, Any], log: int) -> None:
    """Make the cache, and put it in its place when it is whole."""
    cache, made = Path(task["cache"]), Path(task["made"])
    run(task["record"], log, task["port"])
    run(task["create"], log)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    # Another file system, as a rule.
    copy = cache.with_suffix(".new")
    shutil.copyfile(made, copy)
    copy.replace(cache)
    for other in cache.parent.glob("kafka-*"):
        if time.time() - other.stat().st_mtime > UNUSED_SECONDS:
            other.unlink(missing_ok=True)


def main() -> None:
    task = json.loads(sys.stdin.readline())
    os.nice(NICE)
    lock = os.open(f"{task['cache']}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody else is at it
    if Path(task["cache"]).exists():
        return
    os.chdir(task["directory"])
    with Path("training.log").open("wb") as log:
        try:
            train(task, log.fileno())
        except GivenUpError:
            pass
        finally:
            shutil.rmtree(task["directory"], ignore_errors=True)


if __name__ == "__main__":
    main()
