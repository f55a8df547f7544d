"""The errors that decide what happens next."""


class TransientError(Exception):
    """Base for errors that pass: the same work is tried again until it succeeds."""


class SendFailedError(TransientError):
    """Kafka did not confirm a send. It may or may not have been written: send it again."""


class FatalError(Exception):
    """The worker can't run like this, and waiting will not help. One line, no secret."""
