"""What the engine counts: a few numbers for each batch, none for a single record.

Everything is in `REGISTRY`; docs/metrics.md says what each metric means. What can be read off
the consumer is not counted here but looked up when somebody asks (`consumer_metrics`).
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache, partial

from aiokafka import ConsumerRecord
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up
from orderapp.engine.observe.threads import ThreadTimes

# The time when each series began doubles their number, and Prometheus does not need it.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
REGISTRY.register(ThreadTimes())

counter = partial(Counter, registry=REGISTRY)
gauge = partial(Gauge, registry=REGISTRY)
histogram = partial(Histogram, registry=REGISTRY)

#: Distinct error classes that are told apart; what comes after them is `other`. They come
#: from the code, not from records, so this is never reached unless something is very wrong.
MAX_ERROR_CLASSES = 50

_READER = ("service", "topic")


class Ages(Collector):
    """A histogram of how old records are, with one observation for each record.

    `prometheus_client`'s own would be asked once for each record. This one takes a batch: the
    timestamps are put in order, and only bounds that lie within them are looked for."""

    def __init__(
        self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self.bounds = name, text, bounds
        self._children: dict[tuple[str, ...], _Ages] = {}
        registry.register(self)

    def labels(self, *values: str) -> "_Ages":
        """The histogram of a service and a topic."""
        return self._children.setdefault(values, _Ages(self.bounds))

    def counts(self) -> dict[tuple[str, ...], list[int]]:
        """By labels, how many records were as old as each of `bounds` and not as the one
        before; the last count is of those beyond all of them."""
        return {values: [*child.counts] for values, child in self._children.items()}

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=_READER)
        for values, child in self._children.items():
            family.add_metric(values, child.buckets(), child.sum)
        yield family


class _Ages:
    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, timestamps_ms: list[int], now: float) -> None:
        """Note the ages (in s, at the Unix time `now`) of records with these timestamps."""
        timestamps_ms.sort()  # they nearly are, which makes it quick
        now_ms = int(now * 1000)
        # Clocks of other machines may be ahead; a sum that falls would look like a restart.
        self.sum += max(now_ms * len(timestamps_ms) - sum(timestamps_ms), 0) / 1000
        # From the youngest to the oldest: as many as are left are older than the last bound.
        left, counts = len(timestamps_ms), self.counts
        for index, bound in enumerate(self._bounds):
            older = bisect_left(timestamps_ms, now_ms - bound * 1000, 0, left)
            counts[index] += left - older
            left = older
            if not left:
                return
        counts[-1] += left

    def buckets(self) -> list[tuple[str, float]]:
        total, found = 0, []
        for bound, count in zip([*self._bounds, float("inf")], self.counts, strict=True):
            total += count
            found.append((floatToGoString(bound), float(total)))  # type: ignore[no-untyped-call]
        return found


RECORDS = counter(
    "orderapp_records",
    "Records that a service is through with: done, or dead_letter.",
    (*_READER, "result"),
)
BATCH_RECORDS = histogram(
    "orderapp_batch_records",
    "Records in a batch.",
    _READER,
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
BATCH_SECONDS = histogram(
    "orderapp_batch_processing_seconds",
    "Seconds from the beginning of the work on a batch until it was done, with retries.",
    _READER,
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
SEND_SECONDS = histogram(
    "orderapp_send_seconds",
    "Seconds until Kafka had confirmed the messages that a batch led to, with new tries.",
    ("topic",),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
END_TO_END = Ages(
    "orderapp_end_to_end_seconds",
    "Seconds from a record's Kafka timestamp until its effect was certain, for each record.",
    (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
    REGISTRY,
)
RETRIES = counter(
    "orderapp_retries",
    "Times that a batch, or what is left of it, was tried again.",
    _READER,
)
DEAD_LETTERS = counter(
    "orderapp_dead_letters",
    "Records that were sent to the dead-letter topic, by the services that gave them up.",
    ("service", "error_class"),
)
LOST = counter(
    "orderapp_records_lost",
    "Records, at most, that Kafka deleted before the group had read them.",
    ("group", "topic"),
)
HELD_UP = gauge(
    "orderapp_held_up_batches",
    "Batches that wait for the store or Kafka to come back, at this moment.",
)
HELD_UP.set_function(lambda: held_up.count)
KAFKA_UP = gauge("orderapp_kafka_up", "1 while Kafka answers this worker, else 0.")
STALLED = gauge(
    "orderapp_stalled",
    "1 while work waits and nothing explains why there is no progress (see /healthz), else 0.",
)
BLOCKED = gauge(
    "orderapp_blocked",
    "Reasons for which this worker, or a part of it, waits until somebody mends something.",
)
BLOCKED.set_function(lambda: len(blocked))

_error_classes: set[str] = set()


class Meter:
    """What is counted of one service's reading of one topic."""

    def __init__(self, service: str, topic: str) -> None:
        # Looked up once: that costs more than counting.
        self._done = RECORDS.labels(service, topic, "done")
        self._dead_letters = RECORDS.labels(service, topic, "dead_letter")
        self._sizes = BATCH_RECORDS.labels(service, topic)
        self._seconds = BATCH_SECONDS.labels(service, topic)
        self._ages = END_TO_END.labels(service, topic)
        self.retried = RETRIES.labels(service, topic).inc

    def settled(self, records: list[ConsumerRecord], began: float, dead_letters: int) -> None:
        """All of `records` are done, but for as many dead letters; the work began at `began`
        (`time.perf_counter`)."""
        count = len(records)
        self._done.inc(count - dead_letters)
        if dead_letters:
            self._dead_letters.inc(dead_letters)
        self._sizes.observe(count)
        self._seconds.observe(time.perf_counter() - began)
        self._ages.observe([record.timestamp for record in records], time.time())

    @property
    def well(self) -> float:
        """How many records are done, and no dead letters."""
        return float(self._done._value.get())

    def rejected(self) -> None:
        """A record could not even be decoded."""
        self._dead_letters.inc()


@cache
def meter(service: str, topic: str) -> Meter:
    """The one meter of a service and a topic; all its series are there, at 0, from now on."""
    return Meter(service, topic)


def dead_letter(service: str, error: BaseException) -> None:
    """Count a dead letter; `service` may be several, separated by commas."""
    name = type(error).__name__
    if name not in _error_classes:
        if len(_error_classes) >= MAX_ERROR_CLASSES:
            name = "other"
        else:
            _error_classes.add(name)
    DEAD_LETTERS.labels(service, name).inc()
