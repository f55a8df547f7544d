"""That a service could not process a record: what its dead letter will say."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """That a service could not process a record.

    `attempts` is how often it was tried since it was read, and `first` the moment (ISO 8601)
    when it failed first; None: now."""

    service: str
    error: BaseException
    attempts: int = 1
    first: str | None = None


def moment() -> str:
    """Now, as it stands in the headers of a dead letter."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
