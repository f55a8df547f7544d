"""What a Faust worker of ours starts, in which order, and how it ends."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Iterable
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types import ServiceT
from mode import Service

from orderapp.engine.delivery.stopping import CLOSING_SECONDS, STOP_SECONDS, stopping
from orderapp.engine.errors import FatalError
from orderapp.engine.observe.log_lines import TextFormatter
from orderapp.engine.observe.logs import Quiet, say_rest

logger = logging.getLogger(__name__)


class Boot(BootStrategy):
    """What a worker starts, in this order, and stops in the reverse one.

    The web server comes first, so that health checks are answered while Kafka is away."""

    app: Any  # `BatchApp`, which imports this module

    def server(self) -> Iterable[ServiceT]:
        """The services of a worker."""
        return self._chain(
            self.producer_only(),
            self.kafka_consumer(),
            self.agents(),
            self.kafka_conductor(),
            self.tables(),
            [] if self.app.producer_only else [self.app.watch],
        )

    def producer_only(self) -> Iterable[ServiceT]:
        """The services of a worker that reads nothing."""
        return self._chain(
            self.sensors(),
            self.web_server(),
            self.app.resources,
            [KafkaGate(self.app)],
            self.kafka_producer(),
            [self.app.write_rights],
            self.app.followers,
            [self.app.watch] if self.app.producer_only else [],
        )


class KafkaGate(Service):
    """Lets the start go on when Kafka is there and has the topics."""

    def __init__(self, app: Any) -> None:
        self.app = app
        super().__init__()

    async def on_start(self) -> None:
        try:
            await self.app.prepare()
        except FatalError as error:
            await self.app.end(error)


class Worker(faust.Worker):
    """A Faust worker that ends with status 1 after `BatchApp.fail`, and says in its log what
    people want to see."""

    app: Any  # `BatchApp`, which imports this module

    def __init__(self, app: Any, *services: ServiceT, **options: Any) -> None:
        super().__init__(app, *services, **options)
        # Its banner and its spinner are no log lines.
        self._only_logs = app.conf.logging_config is not None
        self.quiet = self.quiet or self._only_logs

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:
        """Log what people want to see; everything at `-l debug`."""
        if self._only_logs:
            self.spinner = None
        super().on_setup_root_logger(logger, level)
        if not self._only_logs:
            for handler in logger.handlers:
                handler.setFormatter(TextFormatter(handler.formatter, self.app.key_name))
        if level > logging.DEBUG:
            for handler in logger.handlers:
                handler.addFilter(Quiet())

    async def on_startup_finished(self) -> None:
        """Say where to look."""
        await super().on_startup_finished()
        if not self._shutdown_immediately:
            web = f" at {self.app.web_server_url}" if self.app.conf.web_enabled else ""
            logger.info("Worker ready%s, Kafka at %s", web, self.app.cluster)

    def execute_from_commandline(self) -> Any:
        """Run until stopped; never returns."""
        try:
            super().execute_from_commandline()
        except SystemExit as end:
            self._say_why(end.__context__)
            say_rest()
            logger.info("Worker stopped")
            status = 1 if self.app.failure is not None or end.code else 0
            stopping.end(status)
            raise SystemExit(status) from None

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        # Whoever sends the signals of one Ctrl-C twice (a shell's group, and a supervisor) does
        # not mean that the work under way is to be dropped. The stop has a bound.
        if self._signal_stop_time:
            logger.info("Worker is already stopping: it exits within %g s", STOP_SECONDS)
        super()._schedule_shutdown(number)

    def _gather_all(self) -> None:
        # Faust waits for a second before it cancels what its services have left.
        for task in asyncio.all_tasks(self.loop):
            task.cancel()

    async def _sentinel_task(self) -> None:
        """The event loop's last: let what was cancelled end. Faust sleeps for a second."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # A late one would end the process by itself, with a status of its own.
            self.loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        tasks = asyncio.all_tasks(self.loop) - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=stopping.left(CLOSING_SECONDS))

    def _say_why(self, error: BaseException | None) -> None:
        # Faust logs what ends its start, but an error of its stop is only an exit status.
        start = self._starting_fut
        if error is None or self.app.failure is not None:
            return
        if start is None or start.cancelled() or not start.done() or start.exception() != error:
            logger.error("the worker did not shut down cleanly: %r", error, exc_info=error)


def quieten_garbage_collector() -> None:
    """Look for cycles seldom."""
    # Thousands of records live for a moment in every batch, and none of them is in a cycle.
    # Python's default is to look for cycles at each 700th new object: a tenth of the CPU time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def check_port(host: str, port: int) -> None:
    """Raise `FatalError` where the web server can't listen."""
    # The web server would say the same, in a traceback.
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0]) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address[4])
    except OSError as error:
        raise FatalError(
            f"the web server can't listen on {host} port {port}: {error.strerror} "
            "(`-p` chooses another port)"
        ) from error
