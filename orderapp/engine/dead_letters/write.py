"""Writes dead letters, and notes of records that were deleted unread."""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Mapping
from typing import Protocol

from aiokafka import ConsumerRecord
from faust.types.tuples import Message
from msgspec.structs import replace

from orderapp.engine.batches.records import is_for
from orderapp.engine.dead_letters import headers as dead_letters
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.delivery.errand import Errand, SetAside
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.delivery.retry import persist
from orderapp.engine.errors import SendRefusedError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.losses import Loss, encode_loss, first_left
from orderapp.engine.observe import metrics
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.logs import Few

logger = logging.getLogger(__name__)


class SendRecord(Protocol):
    """See `kafka.producer.Producer.send_record`."""

    def __call__(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> Awaitable[None]: ...


class DeadLetterWriter:
    """Writes to a dead-letter topic; `readers` are the services that read each topic."""

    def __init__(
        self,
        topic: str,
        send_record: SendRecord,
        readers: Mapping[str, Collection[str]],
        set_aside: SetAside,
    ) -> None:
        self.topic = topic
        self._send_record = send_record
        self._readers = readers
        self._set_aside = set_aside
        self._under_way: set[asyncio.Task[None]] = set()
        self._few = Few(dead_letters.logger, logging.WARNING, "dead letters")

    def reject(
        self, message: Message, bad: list[tuple[ConsumerRecord, Exception]]
    ) -> asyncio.Task[None]:
        """Begin to write the records of a delivery that can't be decoded."""
        with Errand(message, self._set_aside).current():
            task = asyncio.create_task(self._write_all(bad))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        # Looked at: the partition may go, and nobody be left who waits for it.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def cancel(self) -> None:
        """Give up what is under way: it comes again."""
        for task in self._under_way:
            task.cancel()

    async def _write_all(self, bad: list[tuple[ConsumerRecord, Exception]]) -> None:
        writes = []
        for record, error in bad:
            readers = [
                name for name in sorted(self._readers[record.topic]) if is_for(record, name)
            ]
            for reader in readers:
                metrics.meter(reader, record.topic).rejected()
            if readers:  # else it is a replay for a service of other workers
                writes.append(self.write(record, Failure(",".join(readers), error)))
        await asyncio.gather(*writes)

    async def write(self, record: ConsumerRecord, failure: Failure) -> None:
        """Write one; returns when Kafka has confirmed it."""
        if self._few.room():
            dead_letters.log_line(record, failure)
        if record.topic == self.topic:
            return  # it is there already, and would come again without end
        headers = dead_letters.headers_for(record, failure)
        await self._send_record(self.topic, key=record.key, value=record.value, headers=headers)
        metrics.dead_letter(failure.service, failure.error)

    async def report_lost(self, losses: Collection[Loss], cluster: Cluster) -> None:
        """Note for good, count and tell what was deleted unread; returns when Kafka has
        confirmed the notes."""
        of_topics = [loss for loss in losses if not loss.with_topic]
        left = await first_left(cluster, of_topics) if of_topics else {}
        for loss in losses:
            await self._note(replace(loss, before=left.get((loss.topic, loss.partition))))

    async def _note(self, loss: Loss) -> None:
        topic, key, value = resolutions_topic(self.topic), loss.key, encode_loss(loss)

        async def send() -> None:
            try:
                await self._send_record(topic, key=key, value=value, headers=[])
            except SendRefusedError as error:
                line = "what was deleted unread can't be noted, and nothing behind it is read"
                blocked.block(("note", topic), f"{line}: {error}")
                raise
            blocked.free(("note", topic))

        what = f"note of lost records of {loss.topic}[{loss.partition}]"
        await persist(what, send, (loss.topic, loss.partition))
        metrics.LOST.labels(loss.group, loss.topic).inc(loss.records)
        logger.error("%s (noted in %s)", loss, topic)
