"""What faults act on."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.archive import Archive
from tests.chaos.broker import Broker
from tests.chaos.changes import Changes
from tests.chaos.crew import Crew
from tests.chaos.diary import Diary
from tests.chaos.sender import TOPIC, Sender
from tests.chaos.stores import Store


@dataclass
class World:
    """The running pipeline; `settings` are those of every worker."""

    data_dir: Path
    settings: dict[str, str]
    diary: Diary
    broker: Broker
    crew: Crew
    store: Store
    sender: Sender
    archive: Archive
    changes: Changes
    #: Held by the one fault that has to do with the store.
    store_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Held by the one fault that changes topics or rights.
    topic_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin_epoch(self, topic: str) -> None:
        """The topic was made anew, and nothing is sent to it yet."""
        self.archive.begin_epoch(topic)
        if topic == TOPIC:
            self.sender.epoch = self.archive.epoch(topic)
