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


from tests.chaos.faults import (  # noqa: E402
    kafka,  # noqa: F401
    records,  # noqa: F401
    retention,  # noqa: F401
    rules,  # noqa: F401
    stores,  # noqa: F401
    topics,  # noqa: F401
    workers,  # noqa: F401
)
