"""A Faust app whose services take batches, and which waits for Kafka instead of crashing."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any

from mode import Service

from orderapp.engine.batches.streams import BatchStream
from orderapp.engine.declare import DeclaringApp
from orderapp.engine.delivery.stopping import (
    CLOSING_SECONDS,
    COMMIT_SECONDS,
    DRAIN_SECONDS,
    stopping,
)
from orderapp.engine.errors import FatalError
from orderapp.engine.health.watch import Watch
from orderapp.engine.kafka.cluster import let_go
from orderapp.engine.observe import tracing
from orderapp.engine.observe.log_lines import hold_lines
from orderapp.engine.private import DIRECTORY, PrivateDirectory
from orderapp.engine.worker import Boot, Worker, check_port, quieten_garbage_collector

logger = logging.getLogger(__name__)

#: Seconds that a stop waits for the collector of traces to take the last ones.
TRACES_SECONDS = 1.0


class BatchApp(DeclaringApp):
    """`faust.App` with services, batched topics, dead letters, and Kafka made ready before use.

    `resources` are services that are started before Kafka is looked for, and `stall_seconds` is
    the time without progress after which `watch` calls the worker stalled. `directory` is where
    the app keeps its data, and `key_name` what log lines call a record's key."""

    BootStrategy = Boot

    def __init__(
        self,
        group: str,
        *,
        stall_seconds: float = 120.0,
        directory: PrivateDirectory | None = None,
        key_name: str = "key",
        **options: Any,
    ) -> None:
        hold_lines()
        super().__init__(group, Worker=Worker, Stream=BatchStream, **options)
        self.resources: list[Service] = []
        self.failure: str | None = None
        self.watch = Watch(self, stall_seconds)
        self._directory = directory
        self.key_name = key_name

    async def on_first_start(self) -> None:
        """Faust makes its own directories, but not the one above them."""
        try:
            await asyncio.to_thread(self._make_directories)
            if self.in_worker:
                if self._data().is_absolute():  # else it is where the worker was started
                    logger.info("Data in %s", self._data())
                self._start_tracing()
                if self.conf.web_enabled:
                    check_port(self.conf.web_bind, self.conf.web_port)
        except FatalError as error:
            await self.end(error)
        except OSError as error:
            await self.end(FatalError(f"{self._data()} can't be used: {error.strerror}"))
        if self.in_worker:
            quieten_garbage_collector()
        await super().on_first_start()

    def _data(self) -> Path:
        return self._directory.path if self._directory else Path(self.conf.datadir)

    def _make_directories(self) -> None:
        if self._directory is not None:
            self._directory.prepare()
        Path(self.conf.datadir).mkdir(DIRECTORY, parents=True, exist_ok=True)
        for directory in (self.conf.appdir, self.conf.tabledir):
            Path(directory).mkdir(DIRECTORY, exist_ok=True)

    def _start_tracing(self) -> None:
        namespace = self.conf.origin or self.conf.id
        service = self.conf.id.removesuffix("-group")
        tracing.start(os.environ, namespace=namespace, service=service)

    def fail(self, error: FatalError) -> None:
        """End the worker in order, with this one line and exit status 1."""
        if self.should_stop:
            # It was told to end, and that is why something it waited for did not come.
            logger.info("%s", error)
            return
        self.failure = str(error)
        logger.critical("%s", error)
        signal.raise_signal(signal.SIGTERM)

    async def end(self, error: FatalError) -> None:
        """`fail`, and wait for it: what calls this while the app starts goes no further."""
        self.fail(error)
        await asyncio.Event().wait()  # until the shutdown cancels the start

    async def on_stop(self) -> None:
        """Finish what was read, commit, and only then let Faust stop the agents."""
        if self.in_worker:
            logger.info("Worker stopping: it finishes and commits what it has read first")
            stopping.begin()
        left = await self._drain()
        if self.dead_letters is not None:
            self._writer.cancel()
        if self.in_worker:
            # Who has waited in vain already waits less for the rest.
            stopping.close_within(CLOSING_SECONDS / 2 if left else CLOSING_SECONDS)
        await super().on_stop()
        await asyncio.to_thread(tracing.stop, stopping.left(TRACES_SECONDS))

    async def _drain(self) -> str | None:
        """What will come again, in one line, which also makes the exit status 1."""
        consumer = self.running_consumer()
        if consumer is None:
            return None
        left = await consumer.drain(0.0 if self.crashed else DRAIN_SECONDS, COMMIT_SECONDS)
        if left is not None:
            logger.error("%s", left)
            self.failure = self.failure or left
        return left

    async def _producer_flush(self, log: Any) -> None:
        # Whatever was to be sent before a commit was flushed with it.
        if self.should_stop:
            await let_go(super()._producer_flush(log), CLOSING_SECONDS)
        else:
            await super()._producer_flush(log)

    def _on_rebalance_when_stopped(self) -> None:
        """Nothing: the consumer's own thread ends it a moment later, and leaves the group.

        Faust closes aiokafka's client here, from another thread and below a coordinator that
        is at work: it asks a closed client without end, and the group waits for the session
        of a worker that has gone."""
