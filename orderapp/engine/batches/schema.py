"""One turn of an agent for all that has arrived of one partition.

Faust spends an event, two tasks and three queue hops on every record. Here a chunk of records
passes all of that at once: the scheduler hands out one list for each partition, and the
schema turns it into one event whose value is a `Batch`. A batch is what has arrived, in
order; it is never waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import faust
from aiokafka import ConsumerRecord
from faust.types.tuples import Message

from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.decoder import Decoder, is_records_fault

V = TypeVar("V")

#: Takes records of a delivery that can't be decoded, with the reasons; done when they are safe.
Reject = Callable[[Message, list[tuple[ConsumerRecord, Exception]]], asyncio.Task[None]]


class BatchSchema(faust.Schema[Any, Any]):
    """Decodes a list of records into one event whose value is a `Batch`.

    One schema serves all batched topics of an app."""

    def __init__(self, decoders: Mapping[str, Decoder[Any]], reject: Reject) -> None:
        super().__init__()
        self._decoders = decoders
        self._reject = reject

    def compile(self, app: faust.App, **_: Any) -> Callable[..., Awaitable[Any]]:  # type: ignore[override]
        """The function that Faust calls for each message: a list of records, as handed out by
        `BatchScheduler`."""
        decoders, reject, create_event = self._decoders, self._reject, app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> Any:
            # Faust (its Cython part) decodes a message again for each agent of its topic. The
            # agents share the first one's batch, so that bad records are rejected once.
            value: Any = message.value
            if not isinstance(value, Batch):
                decoder = decoders[message.topic]
                value, bad = decoder.batch(value)
                if bad:
                    bugs = [record for record, error in bad if not is_records_fault(error)]
                    bad = [pair for pair in bad if is_records_fault(pair[1])]
                    object.__setattr__(value, "bugs", _undecoded(decoder, bugs))
                if bad:
                    object.__setattr__(value, "rejection", reject(message, bad))
                message.value = value
            return create_event(None, value, None, message)

        return decode


def _undecoded(
    decoder: Decoder[V], records: list[ConsumerRecord]
) -> "Batch[Callable[[], V]] | None":
    """Records of one partition that are still to be decoded."""
    if not records:
        return None
    values: list[Callable[[], V]] = [partial(decoder.one, record) for record in records]
    return Batch(records[0].topic, records[0].partition, values, records)
