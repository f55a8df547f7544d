"""How our own commands run and end: whatever happens, with one line and no traceback."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from orderapp import change_log
from orderapp.app import app, embedded, settings
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.observe.logs import say_rest
from orderapp.engine.observe.texts import complaint

T = TypeVar("T")


def run(work: Coroutine[object, object, T]) -> T:
    """Run a command's work to its end, or end the process with one line and status 1.

    Without Faust's worker, which shows a traceback for any error."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        # Their words would stand beside ours. (Workers say which changes are refused.)
        with _hushed(logging.getLogger("aiokafka"), change_log.logger):
            return asyncio.run(work)
    except (FatalError, TransientError) as error:
        sys.exit(complaint(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain when it flushes at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    finally:
        say_rest()


@contextmanager
def _hushed(*loggers: logging.Logger) -> Iterator[None]:
    """These say nothing meanwhile."""
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


async def existing_cluster() -> Cluster:
    """The cluster of the settings; raises `FatalError`. The embedded one is started when none
    of its workers runs, but never made."""
    if embedded:
        refuse_to_create(settings.data_dir / "kafka")
    return await app.find_cluster()


def refuse_to_create(path: Path) -> None:
    """Raise `FatalError` when a part of the data directory is not there: a command that looks
    at data must not make it."""
    if not path.exists():
        raise FatalError(
            f"{path} does not exist: no worker has run here "
            "(ORDERAPP_DATA_DIR names another directory)"
        )
