"""What the consumer and the producer need of the app that they belong to."""

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.losses import Loss


class Host(Protocol):
    """See `engine.app.BatchApp`."""

    #: The topics that are there since the start.
    prepared: set[str]

    async def insist(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Ask Kafka until it answers and allows it."""

    def translated(self, error: Exception, operation: str, *topics: str) -> Exception:
        """An error of Kafka's in the engine's terms."""

    async def report_lost(self, losses: Collection[Loss]) -> None:
        """Note, count and tell what was deleted unread."""

    def fail(self, error: FatalError) -> None:
        """End the worker."""
