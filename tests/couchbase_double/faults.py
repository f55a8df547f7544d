"""What is wrong with the double."""

from dataclasses import dataclass, field
from typing import Any

from tests.couchbase_double.scram import MECHANISMS

GET = 0x00  # the only opcode that reads a document
OK = 0x00
STATUSES = {
    "OK": OK,
    "NOT_FOUND": 0x01,
    "EXISTS": 0x02,
    "TOO_BIG": 0x03,
    "INVALID": 0x04,
    "NOT_MY_PARTITION": 0x07,
    "NO_BUCKET": 0x08,
    "LOCKED": 0x09,
    "AUTH_ERROR": 0x20,
    "NO_ACCESS": 0x24,
    "INTERNAL": 0x84,
    "BUSY": 0x85,
    "TEMPFAIL": 0x86,
    "DURABILITY_INVALID_LEVEL": 0xA0,
    "DURABILITY_IMPOSSIBLE": 0xA1,
    "SYNC_WRITE_IN_PROGRESS": 0xA2,
    "SYNC_WRITE_AMBIGUOUS": 0xA3,
    "SYNC_WRITE_RE_COMMIT_IN_PROGRESS": 0xA4,
}


@dataclass
class Faults:
    """What goes wrong; `-1` means from now on."""

    fail_sets: list[list[Any]] = field(default_factory=list)  # [status, how many]
    fail_gets: list[list[Any]] = field(default_factory=list)
    fail_keys: dict[str, str] = field(default_factory=dict)  # document id -> status
    query_error: tuple[int, str, int] | None = None  # code, text, HTTP status
    # What the data service says of a bucket that there is not: NO_ACCESS to who has rights on
    # named buckets, NOT_FOUND to who has rights on all.
    missing_bucket: str = "NO_ACCESS"
    buckets: list[str] = field(default_factory=list)  # that the management knows besides
    mechanisms: str = " ".join(MECHANISMS)  # how to log in; PLAIN alone: as with LDAP
    delay: float = 0.0  # seconds before every answer
    hang: bool = False  # take requests, answer none
    hang_queries: bool = False
    hang_counts: bool = False  # those alone, as if there were very much to count
    ephemeral: bool = False  # a bucket that persists nothing, and so refuses such levels

    def status_of(self, opcode: int, key: bytes) -> int:
        """The status to answer instead of doing what `opcode` asks; `OK` for none."""
        if self.fail_keys and (name := self.fail_keys.get(key.decode())):
            return STATUSES[name]
        pending = self.fail_gets if opcode == GET else self.fail_sets
        if not pending:
            return OK
        name, left = pending[0]
        if left == 1:
            pending.pop(0)
        elif left > 1:
            pending[0][1] = left - 1
        return STATUSES[name]
