"""The faults, by name: each is a function that does it, lasts its time and heals it."""

from collections.abc import Awaitable, Callable

from tests.chaos.schedule import Kind, Strike
from tests.chaos.world import World

Fault = Callable[[World, Strike], Awaitable[None]]

KINDS: dict[str, Kind] = {}
FAULTS: dict[str, Fault] = {}


def fault(name: str, kind: Kind) -> Callable[[Fault], Fault]:
    """Register a fault under the name that `--faults` takes."""

    def register(function: Fault) -> Fault:
        KINDS[name], FAULTS[name] = kind, function
        return function

    return register


from tests.chaos.faults import kafka, records, retention, stores, topics, workers  # noqa: E402, F401
