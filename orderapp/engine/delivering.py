"""An app that delivers: batches to work, and what can't be processed to the dead letters."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from faust.types.tuples import Message

from orderapp.engine.batches.schema import BatchSchema
from orderapp.engine.batches.streams import Refused, refuse
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.dead_letters.write import DeadLetterWriter
from orderapp.engine.delivery.limit import GiveUp
from orderapp.engine.delivery.policy import deliver
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.delivery.settling import Work
from orderapp.engine.errors import SendRefusedError
from orderapp.engine.health.write_rights import WriteRights
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka_app import KafkaApp
from orderapp.engine.observe import metrics, trace_headers

V = TypeVar("V")


class DeliveringApp(KafkaApp):
    """An app whose records are done, or become dead letters. `retry` says how often an error
    that may pass is tried (`errors.RetryableError`) where a service says nothing else, and
    `give_up` how many records may become dead letters for reasons that do not lie in them."""

    def __init__(
        self,
        group: str,
        *,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        give_up: GiveUp = GiveUp(),  # noqa: B008 - frozen
        **options: Any,
    ) -> None:
        super().__init__(group, **options)
        self.retry = retry
        self._give_up = give_up
        self.write_rights = WriteRights(self)
        #: The topic of dead letters.
        self.dead_letters: str | None = None
        self._written: set[str] = set()
        self._schema = BatchSchema(self._decoders, self._reject)
        self._readers: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def readers(self) -> Mapping[str, set[str]]:
        """The services that read each topic."""
        return self._readers

    @cached_property
    def _writer(self) -> DeadLetterWriter:
        if self.dead_letters is None:
            raise RuntimeError("the app has no dead_letter_topic")
        return DeadLetterWriter(
            self.dead_letters, self._send_record, self._readers, self._set_aside
        )

    async def _send_record(self, topic: str, **message: Any) -> None:
        await self._sender.send_record(topic, **message)

    def _reject(self, message: Message, bad: list[Any]) -> asyncio.Task[None]:
        return self._writer.reject(message, bad)

    async def report_lost(self, losses: Collection[Loss]) -> None:
        """Note for good, count and tell what was deleted unread; returns when Kafka has
        confirmed the notes."""
        if self.cluster is None:
            raise RuntimeError("the app has no cluster yet")
        await self._writer.report_lost(losses, self.cluster)

    async def deliver(
        self,
        service: str,
        stream: Any,
        work: Work[V],
        *,
        overlap: int = 1,
        retry: Retry | None = None,
    ) -> None:
        """See `policy.deliver`; what can't be processed goes to the dead-letter topic."""
        if not isinstance(stream, Refused) and stream.channel.schema is not self._schema:
            topics = ", ".join(map(repr, stream.channel.topics))
            line = f"{service!r} gives `deliver` the topic {topics}, which was not made by "
            stream = refuse(self, f"{line}`batched_topic`: make it so, or use `async for`")
        elif self.dead_letters is None:
            line = (
                f"{service!r} reads a batched topic, and the app has no topic for what it can't"
            )
            stream = refuse(self, f"{line} process: make one with `app.dead_letter_topic`")
        if isinstance(stream, Refused):
            await anext(stream)
        stream.is_delivered = True
        for topic in stream.channel.topics:
            self._readers[topic].add(service)
            self.used_topics.add(topic)
            if letters := self.dead_letters:
                self.used_topics |= {letters, resolutions_topic(letters)}
            metrics.meter(service, topic)  # so that its series are there from the beginning
            metrics.LOST.labels(self.conf.id, topic)
        await deliver(
            service,
            stream,
            work,
            self._writer.write,
            overlap=overlap,
            retry=retry or self.retry,
            set_aside=self._set_aside,
            give_up=self._give_up,
        )

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[trace_headers.Headers] | None = None,
        timestamps: Sequence[int | None] | None = None,
    ) -> None:
        """See `transport.Producer.send_all`; `writes` has to name the topic."""
        try:
            await self._sender.send_all(topic, partition, messages, headers, timestamps)
        except SendRefusedError:
            self.write_rights.doubt(topic)
            raise

    def writes(self, topic: str) -> None:
        """Say that this worker sends to `topic`: not ready without it, or the right to."""
        self._written.add(topic)
        self.used_topics.add(topic)

    @property
    def written(self) -> set[str]:
        """The topics that this worker sends to; who reads may have dead letters."""
        letters = {self.dead_letters} if self.dead_letters and self.agents else set()
        return self._written | letters
