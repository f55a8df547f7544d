"""What was deleted before it was read: what a run did, and what its workers' logs say of it."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.chaos.archive import Taken

#: `… orders[3]: up to 48 records were deleted …: offsets 100 to 147, …`
LINE = re.compile(r"\b([\w-]+)\[(\d+)\]: .*\bdeleted\b.*\boffsets (\d+) to (\d+)\b")


class Offset(NamedTuple):
    """One that was deleted unread. It may be one without a record: the end of a transaction."""

    topic: str
    partition: int
    offset: int


def offsets(taken: Iterable[Taken]) -> set[Offset]:
    """Those that were really deleted unread."""
    return {
        Offset(part.topic, part.partition, offset)
        for part in taken
        for offset in range(part.begin, part.end)
    }


def reported(directory: Path) -> set[Offset]:
    """Those that the workers' logs tell."""
    found = set()
    for log in directory.glob("worker-*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if "ERROR" in line and (match := LINE.search(line)):
                topic, partition, first, last = match.groups()
                for offset in range(int(first), int(last) + 1):
                    found.add(Offset(topic, int(partition), offset))
    return found
