"""All that an author of a service uses.

    readings = app.batched_topic("readings", Reading, partitions=6, key="sensor")

    @app.each(readings, sends=warnings)      # a function of one value
    def watch(reading: Reading) -> Warning | None: ...

    @app.batches(readings, sends=reports)    # a coroutine of a batch: work that waits or writes
    async def report(readings: Batch[Reading]) -> None:
        await reports.send_all([...], of=readings)

    @app.agent(app.topic("clicks"))          # plain Faust: tables, windows, `group_by`
    async def count(clicks): ...

What becomes of a record: a worker of the group reads it (`kafka`) and decodes it together with
what else has arrived of its partition (`batches`). Each service that reads the topic gets it.
What the service returns is encoded and sent to the same partition number, in the same trace
(`batches.topic`), and Kafka's confirmation is waited for. If the work fails, the error decides
(`delivery`):

- `TransientError`, the store or Kafka is away: tried again without end, nothing is given up;
- `RetryableError`, somebody else does not answer: tried again as the service's `Retry` says;
- `PartlyFailedError`: so for the records that it names, and the others are done;
- `RecordError`, ValueError and any other: the record becomes a dead letter, with the reason in
  its headers (`dead_letters`); its neighbours go on.

Only then is its offset committed. So work may be done twice, and has to bear it.
"""

from orderapp.engine.app import BatchApp
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.codec import Codec, Json
from orderapp.engine.batches.topic import Topic
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.errors import (
    FatalError,
    PartlyFailedError,
    RecordError,
    RetryableError,
    TransientError,
)
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.engine.record import Record

__all__ = [
    "Batch",
    "BatchApp",
    "Codec",
    "FatalError",
    "Json",
    "PartlyFailedError",
    "Record",
    "RecordError",
    "Retry",
    "RetryableError",
    "Topic",
    "TopicSpec",
    "TransientError",
]
