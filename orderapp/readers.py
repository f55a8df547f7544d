"""Who reads what: the topics of each service, and the groups that it may be in."""

from itertools import combinations

from orderapp.app import settings
from orderapp.engine.health.lag import Reader
from orderapp.settings import CONSUMERS, Settings


def groups(service: str, settings: Settings) -> set[str]:
    """Every group that a service may be in, by what runs beside it, and this worker's own."""
    sets = (s for n in range(1, len(CONSUMERS) + 1) for s in combinations(CONSUMERS, n))
    found = {Settings(services=frozenset(s)).group for s in sets if service in s}
    # The group of a worker that runs others of them does not do this service's work; one that
    # runs none, such as the web alone, can only mean the group of those that it shows.
    is_its_own = service in settings.services or settings.services.isdisjoint(CONSUMERS)
    if settings.own_group and is_its_own:
        found.add(settings.own_group)
    return found


READERS = {
    "fraud": Reader(groups("fraud", settings), ("orders",)),
    "payment": Reader(groups("payment", settings), ("orders",)),
    "analytics": Reader(
        groups("analytics", settings), ("orders", "fraud-alerts", "payments", "orders-dlq")
    ),
}
