"""What can be read off a worker's consumer, at the moment when somebody asks.

Nothing here waits for Kafka. The ends of the partitions are those of the last fetch, or of the
last look of `watch` (every 2 s), whichever is later.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from faust.exceptions import ConsumerNotStarted
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.outlook import Progress

#: Which services read a topic.
Readers = Mapping[str, Iterable[str]]


def lag(progress: Progress) -> int | None:
    """Records of a partition that are not committed; None while that is not known."""
    done = progress.committed if progress.committed is not None else progress.position
    if done is None or progress.end is None:
        return None
    if done >= (progress.position or 0):
        # All that was read is done. Between it and the consumer's own position there is nothing
        # to read: the end of a transaction has an offset, which nobody ever commits.
        done = max(done, progress.reached)
    return max(progress.end - done, 0)


def oldest(service: str, progress: Progress) -> int | None:
    """The timestamp (ms) of the oldest record that `service` has to do in a partition.

    None when there is none, or none was read yet. A record that is not read is at least as
    young as the last one that was, so that one's timestamp is taken."""
    for held in progress.unfinished:
        if not held.is_done_by(service):
            return held.timestamp
    read = progress.position
    if read is None or progress.end is None:
        return None
    return progress.timestamp if max(read, progress.reached) < progress.end else None


def oldest_seconds(service: str, parts: Iterable[Progress], now: float) -> float:
    """The age (s, at the Unix time `now`) of the oldest record that waits, 0 if none does."""
    found = [at for progress in parts if (at := oldest(service, progress)) is not None]
    return max(now - min(found) / 1000, 0.0) if found else 0.0


class ConsumerMetrics(Collector):
    """Lag, age, commits and back-pressure. `consumer` is None while there is none."""

    def __init__(
        self, group: str, consumer: Callable[[], Consumer | None], readers: Readers
    ) -> None:
        self._group = group
        self._consumer = consumer
        self._readers = readers

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """What is always there, though sometimes empty."""
        return self._families(None, [])

    def collect(self) -> Iterable[GaugeMetricFamily]:
        consumer, parts = self._consumer(), []
        if consumer is not None:
            with suppress(ConsumerNotStarted):  # its thread comes later, and ends earlier
                parts = list(consumer.progress())
        return self._families(consumer, parts)

    def _families(
        self, consumer: Consumer | None, parts: list[Progress]
    ) -> Iterator[GaugeMetricFamily]:
        yield self._lag(parts)
        yield self._oldest(parts)
        yield _open_transactions(parts)
        waits = bool(consumer) and any(map(_is_uncommitted, parts))
        since = consumer.uncommitted_since if consumer else 0.0
        yield GaugeMetricFamily(
            "orderapp_commit_age_seconds",
            "Seconds since the last commit, 0 while all that was read is committed.",
            time.monotonic() - since if waits else 0.0,
        )
        yield GaugeMetricFamily(
            "orderapp_held_bytes",
            "Estimated memory of what was read and is not done.",
            consumer.held.bytes if consumer else 0,
        )
        yield GaugeMetricFamily(
            "orderapp_held_batches",
            "Batches that were read and are not done.",
            consumer.held.messages if consumer else 0,
        )

    def _lag(self, parts: list[Progress]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "orderapp_consumer_lag_records",
            "Records of an assigned partition that are not committed.",
            labels=("group", "topic", "partition"),
        )
        for progress in parts:
            if (records := lag(progress)) is not None:
                tp = progress.tp
                family.add_metric((self._group, tp.topic, str(tp.partition)), records)
        return family

    def _oldest(self, parts: list[Progress]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "orderapp_oldest_waiting_seconds",
            "Age of the oldest record that a service has to do, in this worker's partitions.",
            labels=("service", "topic"),
        )
        now = time.time()
        for topic, services in self._readers.items():
            of_topic = [progress for progress in parts if progress.tp.topic == topic]
            for service in services:
                age = oldest_seconds(service, of_topic, now)
                family.add_metric((service, topic), age)
        return family


def _open_transactions(parts: list[Progress]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "orderapp_open_transaction_seconds",
        "Age of the oldest open transaction in an assigned partition, 0 if there is none.",
        labels=("topic", "partition"),
    )
    now = time.time()
    for tp, opened in ((progress.tp, progress.opened) for progress in parts):
        age = 0.0 if opened is None else now - opened / 1000
        family.add_metric((tp.topic, str(tp.partition)), age)
    return family


def _is_uncommitted(progress: Progress) -> bool:
    return progress.position is not None and progress.position > (progress.committed or 0)
