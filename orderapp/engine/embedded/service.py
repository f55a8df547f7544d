"""The embedded broker as a part of a worker: found at the start, looked after, left."""

import asyncio
import logging
from collections.abc import Callable

from mode import Service

from orderapp.engine.embedded.broker import EmbeddedBroker
from orderapp.engine.embedded.errors import EmbeddedBrokerError
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.private import PrivateDirectory

logger = logging.getLogger(__name__)

#: Seconds between two looks at the broker's launcher.
LOOK_EVERY = 5.0


class EmbeddedKafka(Service):
    """Owns this process's part of the broker of a data directory.

    `failed` is called when the broker is not where this process's clients look for it."""

    def __init__(
        self, directory: PrivateDirectory, failed: Callable[[FatalError], None]
    ) -> None:
        self._directory = directory
        self._broker = EmbeddedBroker(directory.path)
        self._failed = failed
        self._address: str | None = None
        super().__init__()

    def find(self) -> Cluster:
        """Join the broker (blocks while it starts); raises `FatalError`."""
        try:
            self._directory.prepare()
            self._address = self._broker.join()
        except OSError as error:
            path = self._directory.path
            raise FatalError(f"{path} can't be used: {error.strerror}") from error
        except EmbeddedBrokerError as error:
            raise FatalError(str(error)) from error
        return Cluster((self._address,))

    @Service.timer(LOOK_EVERY)
    async def look_after(self) -> None:
        """Bring the broker back when its launcher was killed; a killed broker alone is
        brought back by its launcher."""
        if self._address is not None:
            await self._look(self._address)

    async def _look(self, before: str) -> None:
        if await asyncio.to_thread(self._broker.is_running, before):
            return
        logger.warning("the embedded Kafka is gone; restarting it")
        try:
            self._address = await asyncio.to_thread(self._broker.join)
        except EmbeddedBrokerError as error:
            logger.error("%s", error)  # noqa: TRY400 - its text says all
            return
        if self._address != before:
            # The clients know no other address, and would wait for the old one for ever.
            self._failed(
                FatalError(
                    f"the embedded Kafka had to move from {before} to {self._address}, since "
                    "something else holds its port: start this worker again"
                )
            )

    async def on_stop(self) -> None:
        """Leave the broker, which ends with its last user."""
        self._broker.leave()
