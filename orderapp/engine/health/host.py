"""What those who look after a worker need of its app."""

from collections.abc import Callable, Collection
from typing import Any, Protocol

from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka.topic_settings import TopicSpec


class Host(Protocol):
    """See `engine.app.BatchApp`."""

    used_topics: set[str]
    topic_specs: list[TopicSpec]
    topic_listeners: list[Callable[[str], None]]
    rebalancing: bool
    rebalancing_count: int

    @property
    def conf(self) -> Any:
        """Faust's settings."""

    @property
    def producer(self) -> Any:
        """Faust's producer."""

    @property
    def written(self) -> set[str]:
        """The topics that this worker sends to."""

    def running_consumer(self) -> Consumer | None:
        """What reads for this worker, None while it does not."""

    def kafka_client(self) -> Any:
        """The producer's aiokafka client, None while it has none."""

    async def report_lost(self, losses: Collection[Loss]) -> None:
        """Note, count and tell what was deleted unread."""
