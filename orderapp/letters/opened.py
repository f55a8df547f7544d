"""The dead letters that somebody has chosen, read from Kafka."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from orderapp.engine.dead_letters.read import DeadLetter, DeadLetters
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.reading import TopicReader
from orderapp.letters.select import Selection

TOPIC = "orders-dlq"
RESOLVED = resolutions_topic(TOPIC)


class Opened:
    """What a selection may mean, as it was when it was opened."""

    def __init__(self, reader: TopicReader, letters: DeadLetters, selection: Selection) -> None:
        self.reader = reader
        self._letters = letters
        self._selection = selection
        self._places = frozenset(selection.places)
        self._missing = set(self._places)

    async def read(self) -> AsyncIterator[list[DeadLetter]]:
        """The dead letters at the places of the selection, or all, where it has none."""
        async for chunk in self._letters.read(self._selection.spans(self._letters.spans)):
            found = [one for one in chunk if not self._places or one.place in self._places]
            self._missing.difference_update(letter.place for letter in found)
            yield found

    def missing(self) -> Iterator[str]:
        """A line for each place where there is none; known when all is read."""
        for place in sorted(self._missing):
            yield f"{place}: there is no dead letter at this place"


@asynccontextmanager
async def opened(
    cluster: Cluster, selection: Selection, say: Callable[[str], None]
) -> AsyncIterator[Opened]:
    """Connect, and read what was done with dead letters; `say` hears what can't be read."""
    async with TopicReader(cluster) as reader:
        for topic in filter(reader.has, (TOPIC, RESOLVED)):
            if held_back := await reader.held_back(topic):
                say(
                    f"{held_back} records of {topic} are not read: they lie behind a "
                    "transaction that is open"
                )
        yield Opened(reader, await DeadLetters.open(reader, TOPIC), selection)
