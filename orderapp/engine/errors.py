"""The errors that decide what happens next."""

from collections.abc import Mapping


class TransientError(Exception):
    """Base for errors of our own infrastructure (store, Kafka): the same work is tried again
    until it succeeds, and never given up."""


class SendFailedError(TransientError):
    """Kafka did not confirm a send. It may or may not have been written: send it again."""


class SendRefusedError(SendFailedError):
    """Kafka refuses it as things stand. The text says what to mend; no part of the record."""


class RetryableError(Exception):
    """Base for errors of others that may pass (somebody who does not answer): tried again a
    limited number of times, then a dead letter."""


class RecordError(Exception):
    """Base for errors that lie in the record itself: a dead letter at once, like any other
    error, but no sign that the service is broken (`limit`)."""


class PartlyFailedError(Exception):
    """Some records of a batch failed, and the others are done.

    `errors` has the error of each that failed, by its index in the batch; only those are tried
    again, or given up."""

    def __init__(self, errors: Mapping[int, Exception]) -> None:
        super().__init__(f"{len(errors)} records failed")
        self.errors = errors


class FatalError(Exception):
    """The worker can't run like this, and waiting will not help. One line, no secret."""
