"""Keeps aiokafka from filling the log while a broker is away.

It says the same at each try, several times in a tenth of a second: 9,000 lines a minute.
"""

import logging

#: Seconds in which the same complaint is shown once.
EVERY = 10.0
#: Lines that are remembered; a program that says more different ones is heard more often.
MOST = 200


#: What is said with its cause and its way out elsewhere (`membership.py`, `readable.py`).
SAID_BETTER = (
    "Not authorized to read from topic",
    "Topic %s is not authorized",
    "Attempt to join group failed due to fatal error",
    "Unexpected error in join group",
    "Unexpected error from SyncGroup",
    "Heartbeat failed: %r",
    "OffsetCommit failed for unauthorized topics",
    "OffsetCommit failed for group %s - %s",
)


class Once(logging.Filter):
    """Lets the same line through once in `EVERY` seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show `record`; informational ones always are."""
        if record.levelno < logging.WARNING:
            return True
        if str(record.msg).startswith(SAID_BETTER):
            return False
        said = record.getMessage()
        if record.created - self._shown.get(said, -EVERY) < EVERY:
            return False
        if len(self._shown) >= MOST:
            self._shown.clear()
        self._shown[said] = record.created
        return True


def filter_aiokafka_logs() -> None:
    """Call it once, when aiokafka's modules are imported."""
    # Faust opens the root logger for DEBUG (for its spinner), and aiokafka then builds several
    # records for each request that nobody reads: a tenth of the CPU time at low rates.
    if logging.getLogger("aiokafka").level == logging.NOTSET:
        logging.getLogger("aiokafka").setLevel(logging.INFO)
    once = Once()
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("aiokafka"):
            # To each: a parent's filters do not see what its children log.
            logging.getLogger(name).addFilter(once)
