"""Who reads what: the topics of each service, and the groups that it may be in."""

from collections.abc import Collection, Iterable
from itertools import combinations

from orderapp.app import app, settings
from orderapp.engine.health.lag import Reader
from orderapp.settings import CONSUMERS, Settings

#: Services of one's own whose names may make a group together.
_MOST = 4


def readers() -> dict[str, Reader]:
    """Every service that reads topics, whether it runs here or in other workers."""
    known = app.services.readers
    return {name: Reader(groups(name, settings, known), s.reads) for name, s in known.items()}


def groups(service: str, settings: Settings, known: Collection[str] = CONSUMERS) -> set[str]:
    """Every group that a service may be in, by what runs beside it, and this worker's own."""
    own = [name for name in known if name not in CONSUMERS]
    beside = [s for s in _sets(CONSUMERS) if service in own or service in s]
    alone = [s for s in _sets(own[:_MOST]) if service in s]
    found = {Settings(services=frozenset(s)).group for s in (*beside, *alone)}
    # The group of a worker that runs others of them does not do this service's work; one that
    # runs none, such as the web alone, can only mean the group of those that it shows.
    is_its_own = service in settings.services or settings.services.isdisjoint(known)
    if settings.own_group and is_its_own:
        found.add(settings.own_group)
    return found


def _sets(names: Iterable[str]) -> list[tuple[str, ...]]:
    names = [*names]
    return [s for n in range(1, len(names) + 1) for s in combinations(names, n)]
