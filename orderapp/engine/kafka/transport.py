"""Faust's aiokafka transport, taught about batches: what is read, held, committed and sent.

What differs from faust-streaming 0.15.3 says why, in the consumer and the producer.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from faust.transport.drivers import aiokafka as driver
from faust.types.transports import ConsumerT, ProducerT

from orderapp.engine.kafka.consumer import Consumer
from orderapp.engine.kafka.log_filter import filter_aiokafka_logs
from orderapp.engine.kafka.producer import Producer
from orderapp.engine.kafka.tolerant import read_any_header

filter_aiokafka_logs()
read_any_header()


class Transport(driver.Transport):
    """Makes the consumer and producer above; `decoders` names the batched topics.

    `drain_seconds` bounds the end of an assignment; Kafka answers a fetch after `fetch_wait`
    seconds at most, when nothing has come."""

    Consumer: ClassVar[type[ConsumerT]] = Consumer
    Producer: ClassVar[type[ProducerT]] = Producer

    def __init__(
        self,
        *args: Any,
        decoders: Mapping[str, object],
        drain_seconds: float,
        fetch_wait: float,
        **kw: Any,
    ) -> None:
        super().__init__(*args, **kw)
        self.decoders = decoders
        self.drain_seconds = drain_seconds
        self.fetch_wait = fetch_wait
