"""How long partitions waited for another worker after a kill or a stop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.diary import Diary, Event
from tests.chaos.faults import KINDS
from tests.chaos.observer import Observer
from tests.chaos.sent import Sent

#: Faults that take a member out of the group without a word; two at once take longer.
SILENT = {"kill", "stop"}
#: Seconds that a fault is felt, at the most, by a takeover that comes after it.
AFTERMATH = 8.0


@dataclass(frozen=True)
class Takeover:
    """After the fault `kind` all partitions were worked on again after `seconds`.

    `others` are faults at the same time that a takeover cannot do without: the broker or the
    store away, a second worker killed or frozen."""

    kind: str
    seconds: float
    others: tuple[str, ...]


def takeovers(kind: str, diary: Diary, observer: Observer, sent: Sent) -> list[Takeover]:
    """One for each fault of this kind that was followed by new orders."""
    last = max(sent.sent_at.values(), default=0.0)
    found = []
    for event in diary.events:
        if event.kind == kind and event.start < last - 1:
            seconds = observer.working_again(event.start, sent)
            found.append(Takeover(kind, seconds, _others(event, seconds, diary.events)))
    return found


def _others(event: Event, seconds: float, events: Sequence[Event]) -> tuple[str, ...]:
    until = event.start + (seconds if math.isfinite(seconds) else 60.0)
    return tuple(
        other.kind
        for other in events
        if other is not event
        and (KINDS[other.kind].away or other.kind in SILENT)
        and other.start < until
        and other.end + min(KINDS[other.kind].settle, AFTERMATH) > event.start
    )
