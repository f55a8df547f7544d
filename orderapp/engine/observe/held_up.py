"""Where something waits, and how much of it."""

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Places(Generic[P]):
    """Where something waits at this moment, by whatever the callers name the places."""

    def __init__(self) -> None:
        self._places: Counter[P] = Counter()

    @contextmanager
    def waiting(self, place: P) -> Iterator[None]:
        """Around the wait."""
        self._places[place] += 1
        try:
            yield
        finally:
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]

    @contextmanager
    def waiting_after(self, seconds: float, place: P) -> Iterator[None]:
        """Around what counts as waiting when it has taken so long."""
        with ExitStack() as stack:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(seconds, stack.enter_context, self.waiting(place))
            stack.callback(timer.cancel)
            yield

    def __contains__(self, place: object) -> bool:
        return place in self._places

    def __iter__(self) -> Iterator[P]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def count(self) -> int:
        """How many pieces of work wait, several at one place included."""
        return self._places.total()


#: What waits for something outside: a store that is away, a broker that does not confirm. It
#: makes no progress, and restarting the worker would not help. Records wait at
#: `(topic, partition)`.
held_up = Places[Hashable]()

#: Of that, the work that our own infrastructure keeps from being done, by its name for people.
#: The worker is not ready meanwhile, whatever else still works.
standing_still = Places[str]()
