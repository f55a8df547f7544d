"""Log records for tests."""

import logging


def log_record(
    message="a line", *args, level=logging.INFO, name="orderapp.x", exc_info=None, **extra
):
    """A log record, as a logger would make it."""
    return logging.getLogger(name).makeRecord(
        name, level, "file.py", 1, message, args, exc_info, extra=extra
    )
