"""What a record says of itself: in a log line, and for which services it is."""

from typing import Any

from aiokafka import ConsumerRecord

from orderapp.engine.batches.framing import plain_key
from orderapp.engine.observe.trace_headers import Headers, trace_id

#: The first header of a replayed dead letter: the services it is for, separated by commas.
REPLAY_FOR = "replay-for"


def about(record: ConsumerRecord, **more: Any) -> dict[str, Any]:
    """`extra` for a log line about a record."""
    key = None if record.key is None else plain_key(record.key)[:64].decode(errors="replace")
    return {
        "key": key,
        "trace_id": trace_id(record.headers),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        **more,
    }


def is_replay(headers: Headers) -> bool:
    """Whether a record was sent again for some services only."""
    return bool(headers) and headers[0][0] == REPLAY_FOR and bool(headers[0][1])


def is_for(record: ConsumerRecord, service: str) -> bool:
    """Whether `service` has to process `record`: all do, unless it is a replay."""
    if not is_replay(record.headers):
        return True
    return service.encode() in record.headers[0][1].split(b",")
