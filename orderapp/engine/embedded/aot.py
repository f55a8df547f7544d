"""Kafka's classes, loaded and linked beforehand: with them a broker starts in half the time.

Java makes such a cache in two runs of its own (its AOT cache, JEP 483). The first broker that
has run for a while without one has `trainer.py` make it beside it, in the background, so that
nobody waits. Java itself leaves a cache alone that is not for these jars or this Java.

What is in the cache is run, so it is only where nobody else may write.
"""

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from orderapp.engine.private import DIRECTORY, SPARE

logger = logging.getLogger(__name__)

_CACHE = "-XX:AOTCache="  # `launcher.py`, which imports nothing of ours, knows it too
#: What Java has noted of what it loads.
_NOTES = "-XX:AOTConfiguration=recorded"
#: What it has to say about a cache that does not fit goes to nobody.
_SILENT = "-Xlog:aot*=off"


def place(java: Path, classpath: Iterable[Path]) -> Path | None:
    """Where the cache for this Java and these jars is, or would be; None when there is no
    directory that is ours alone."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    directory = Path(home, "orderapp")
    if not directory.is_absolute():  # nobody knows where our home is
        return None
    try:
        directory.mkdir(DIRECTORY, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        logger.debug("no cache of Kafka's classes: %s", error)
        return None
    if found.st_uid != os.geteuid() or found.st_mode & SPARE:
        return None
    made_for = "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in (java, *classpath))
    return directory / f"kafka-{hashlib.sha256(made_for.encode()).hexdigest()[:16]}.aot"


def using(command: list[str], cache: Path | None) -> list[str]:
    """The command of Java, with the cache if it is there."""
    if cache is None or not cache.is_file():
        return command
    os.utime(cache)  # who is not used for long is removed
    return [command[0], f"{_CACHE}{cache}", _SILENT, *command[1:]]


def recording(command: list[str]) -> list[str]:
    """The command of Java, which notes what it loads; to be run in the training's directory."""
    return [command[0], "-XX:AOTMode=record", _NOTES, _SILENT, *command[1:]]


def creating(command: list[str], cache: Path) -> list[str]:
    """Java makes the cache of what was noted, and runs nothing."""
    options = ["-XX:AOTMode=create", _NOTES, f"{_CACHE}{cache}", _SILENT]
    return [command[0], *options, *command[1:]]
