"""Faust's producer, taught to send whole batches and to wait for a Kafka that is away."""

from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver

from orderapp.engine.delivery.errand import current
from orderapp.engine.delivery.stopping import CLOSING_SECONDS
from orderapp.engine.kafka.cluster import connect, let_go
from orderapp.engine.kafka.host import Host
from orderapp.engine.kafka.writing import Part, write
from orderapp.engine.observe.metrics import SEND_SECONDS
from orderapp.engine.observe.trace_headers import Headers


class Producer(driver.Producer):
    """Sends whole batches: one future for each, not one for each message.

    What Faust asks of Kafka while it starts is asked until it is answered."""

    async def on_start(self) -> None:
        """Connect; a Kafka that has gone since it was found is waited for."""
        await super(driver.Producer, self).on_start()
        await self._host.insist("start of the producer", self._connect)

    async def _connect(self) -> None:
        producer = self._new_producer()
        await connect(producer)
        self._producer = producer

    async def create_topic(self, topic: str, *args: Any, **options: Any) -> None:
        """Create a topic of Faust's own, such as a table's; ours are there already."""
        if topic in self._host.prepared:
            return

        async def ask() -> None:
            try:
                await super(Producer, self).create_topic(topic, *args, **options)
            except (KafkaError, OSError, TimeoutError, RuntimeError) as error:
                raise self._host.translated(error, "CREATE", topic) from error

        await self._host.insist(f"creating the topic {topic}", ask)

    @property
    def _host(self) -> Host:
        host: Host = self.app  # type: ignore[assignment]
        return host

    async def on_stop(self) -> None:
        """Send what waits, and let go of Kafka."""
        producer = self._producer
        await let_go(super().on_stop(), CLOSING_SECONDS)
        if producer is not None:
            # What Kafka has not confirmed by now is given up; aiokafka would wait on.
            await let_go(producer._sender.close(), CLOSING_SECONDS)
            await let_go(producer.client.close(), CLOSING_SECONDS)

    async def send_all(
        self,
        topic: str,
        partition: int | None,
        messages: Iterable[tuple[bytes, bytes]],
        headers: Iterable[Headers] | None = None,
        timestamps: Sequence[int | None] | None = None,
    ) -> None:
        """Send `(key, value)` messages and return when Kafka has confirmed all of them.

        `headers` are those of each message, None when no message has any; `timestamps` in ms of
        Unix time, None: when it is sent.
        `partition` is that of the records they come from: the same key in the same partition
        number keeps a record and what follows from it side by side, whatever partitioner
        the record's sender used. Where the topic has no such partition the key decides.
        See `writing.write` for how long it tries; `SendFailedError` when it does not."""
        messages = list(messages)
        own = None if headers is None else [*map(list, headers)]  # aiokafka takes lists only
        part = Part(partition, messages, own, timestamps)
        with SEND_SECONDS.labels(topic).time():
            await write(self._ensure_producer(), topic, part, current.get())

    async def send_record(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """The same for one record, of which the key decides where it goes."""
        part = Part(None, [(key, value)], [headers])
        await write(self._ensure_producer(), topic, part, current.get())
