"""The embedded broker as a part of a worker: found at the start, looked after, left."""

import asyncio
import logging
from pathlib import Path

from mode import Service

from orderapp.engine.cluster import Cluster
from orderapp.engine.embedded.broker import EmbeddedBroker
from orderapp.engine.embedded.errors import EmbeddedBrokerError
from orderapp.engine.errors import FatalError

logger = logging.getLogger(__name__)

#: Seconds between two looks at the broker's launcher.
LOOK_EVERY = 5.0


class EmbeddedKafka(Service):
    """Owns this process's part of the broker of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._broker = EmbeddedBroker(data_dir)
        self._joined = False
        super().__init__()

    def find(self) -> Cluster:
        """Join the broker (blocks while it starts); raises `FatalError`."""
        try:
            address = self._broker.join()
        except EmbeddedBrokerError as error:
            raise FatalError(str(error)) from error
        self._joined = True
        return Cluster((address,))

    @Service.timer(LOOK_EVERY)
    async def look_after(self) -> None:
        """Bring the broker back when its launcher was killed; a killed broker alone is
        brought back by its launcher."""
        if not self._joined or await asyncio.to_thread(self._broker.is_running):
            return
        logger.warning("the embedded Kafka has gone; starting it again")
        try:
            await asyncio.to_thread(self._broker.join)
        except EmbeddedBrokerError as error:
            logger.error("%s", error)  # noqa: TRY400 - its text says all

    async def on_stop(self) -> None:
        """Leave the broker, which ends with its last user."""
        self._broker.leave()
