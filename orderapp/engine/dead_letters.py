"""The dead-letter topic: what can't be processed goes there unchanged, and says why."""

import logging
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

logger = logging.getLogger(__name__)

#: Every header that a dead letter carries, in this order; values are UTF-8 text.
HEADERS = (
    "service",
    "error-class",
    "error-text",
    "original-topic",
    "original-partition",
    "original-offset",
    "original-timestamp",
    "failed-at",
)

# An error's text may quote the record; a header has to stay small.
_MAX_ERROR_TEXT = 500


def headers_for(
    record: ConsumerRecord, error: BaseException, service: str
) -> list[tuple[str, bytes]]:
    """The headers of a dead letter; `original-timestamp` is the record's, in ms of Unix time.

    Headers that the record came with are kept behind them."""
    values = (
        service,
        type(error).__name__,
        _one_line(error),
        record.topic,
        str(record.partition),
        str(record.offset),
        str(record.timestamp),
        datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    ours = [(name, text.encode()) for name, text in zip(HEADERS, values, strict=True)]
    return [*ours, *(record.headers or ())]


def log_line(record: ConsumerRecord, error: BaseException, service: str) -> None:
    """Say in one line what went to the dead-letter topic."""
    logger.warning(
        "dead letter: %s could not process %s[%d]@%d key=%r: %s: %s",
        service,
        record.topic,
        record.partition,
        record.offset,
        record.key[:64] if record.key else record.key,
        type(error).__name__,
        _one_line(error),
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_ERROR_TEXT else text[: _MAX_ERROR_TEXT - 1] + "…"
