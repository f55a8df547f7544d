"""What happened when, for the reader of the output and for the report."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Event:
    """A fault that was really done; times are Unix time."""

    kind: str
    what: str
    start: float
    end: float = float("inf")


@dataclass
class Diary:
    """All that happened, printed as it happens."""

    events: list[Event] = field(default_factory=list)
    #: What went wrong besides lost orders; each makes the run fail.
    problems: list[str] = field(default_factory=list)
    #: Workers that did not end as they should, and how, where it is no problem.
    ended: list[str] = field(default_factory=list)
    #: Seconds that stops in order took.
    stops: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    quiet: bool = False

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"{time.time() - self.began:7.1f} s  {text}", flush=True)

    def problem(self, text: str) -> None:
        self.problems.append(text)
        self.say(f"PROBLEM: {text}")

    @contextmanager
    def event(self, kind: str, what: str) -> Iterator[Event]:
        """A fault that lasts as long as the block."""
        event = Event(kind, what, time.time())
        self.events.append(event)
        self.say(f"{kind}: {what}")
        try:
            yield event
        finally:
            event.end = time.time()

    def counts(self) -> dict[str, int]:
        """How many faults of each kind were done."""
        return dict(sorted(Counter(event.kind for event in self.events).items()))
