"""Run a service without Kafka, in milliseconds.

    from orderapp.services.fraud import fraud
    from orderapp.testing import run

    def test_a_large_order_from_elsewhere_raises_an_alert():
        done = run(fraud, [order(350, "DE")])

        assert [alert.order_id for alert in done.messages] == [7]

`run` takes values, or records as Kafka has them (`record`), which are decoded. Retries and dead
letters are those of the service, without the waits between attempts.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRecord
from faust.types import TP

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.topic import Sent, outbox
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.delivery.policy import deliver
from orderapp.engine.services import ServiceAgent

__all__ = ["DeadLetter", "Run", "Sent", "record", "run", "run_async"]

#: A wait between two attempts that nobody notices.
_NO_WAIT = 1e-6


@dataclass(frozen=True)
class DeadLetter:
    """A record that the service could not process, and why."""

    record: ConsumerRecord
    error: BaseException
    attempts: int


@dataclass
class Run:
    """What a service did."""

    #: What it sent, in order: topic, message, key, value, partition, headers, timestamp.
    sent: list[Sent] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    @property
    def messages(self) -> list[Any]:
        """The messages alone."""
        return [one.message for one in self.sent]


def record(
    value: bytes | None = b"{}",
    key: bytes | None = b"1",
    *,
    topic: str = "orders",
    partition: int = 0,
    offset: int = 0,
    timestamp: int = 0,
    headers: Sequence[tuple[str, bytes]] = (),
) -> ConsumerRecord:
    """A record as Kafka would have it; `timestamp` in ms of Unix time."""
    sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
    place = (topic, partition, offset, timestamp, 0)
    return ConsumerRecord(*place, key, value, None, *sizes, tuple(headers))


def run(service: ServiceAgent, values: Sequence[Any], *, seconds: float = 10.0) -> Run:
    """Give values, or records, of its topic to a service as one batch; what it did.

    Raises TimeoutError when that takes longer: something it needs is away (`TransientError`).
    In a test that is a coroutine write `await run_async(...)`."""
    return asyncio.run(run_async(service, values, seconds=seconds))


async def run_async(
    service: ServiceAgent, values: Sequence[Any], *, seconds: float = 10.0
) -> Run:
    """The same, to be awaited."""
    done = Run()
    batch, bad = _batch(service, values)
    done.dead_letters += [DeadLetter(one, error, 1) for one, error in bad]
    if not len(batch):
        return done

    async def write(dead: ConsumerRecord, failure: Failure) -> None:
        done.dead_letters.append(DeadLetter(dead, failure.error, failure.attempts))

    retry = replace(service.retry, first_wait=_NO_WAIT, longest_wait=_NO_WAIT)
    stream: Any = _Stream(batch)
    token = outbox.set(done.sent)
    try:
        async with asyncio.timeout(seconds):
            await deliver(service.service.name, stream, service.work, write, retry=retry)
    finally:
        outbox.reset(token)
    return done


def _batch(
    service: ServiceAgent, values: Sequence[Any]
) -> tuple[Batch[Any], list[tuple[ConsumerRecord, Exception]]]:
    topic = service.topic
    if values and all(isinstance(value, ConsumerRecord) for value in values):
        decoded: tuple[Batch[Any], list[tuple[ConsumerRecord, Exception]]]
        decoded = service.app.decoder(topic.name).batch([*values])  # type: ignore[attr-defined]
        return decoded
    encode, key_of = topic.codec.encode, topic.key_of
    records = [
        record(encode(value), key_of(value), topic=topic.name, offset=offset)
        for offset, value in enumerate(values)
    ]
    return Batch(topic.name, 0, [*values], records), []


class _Stream:
    """A stream of one batch, as Faust hands it to an agent."""

    enable_acks = True

    def __init__(self, batch: Batch[Any]) -> None:
        message = SimpleNamespace(acked=False, tp=TP(batch.topic, batch.partition))
        self.current_event = SimpleNamespace(message=message, value=batch, ack=lambda: True)

    async def __aiter__(self) -> AsyncIterator[Batch[Any]]:
        yield self.current_event.value
