"""Who reads what: the topics of each service, and the groups that it may be in."""

from itertools import combinations

from orderapp.engine.health.lag import Reader
from orderapp.settings import CONSUMERS, Settings


def _groups(service: str) -> list[str]:
    """Every group that a service may be in, by what runs beside it."""
    sets = (s for n in range(1, len(CONSUMERS) + 1) for s in combinations(CONSUMERS, n))
    return [Settings(services=frozenset(s)).group for s in sets if service in s]


READERS = {
    "fraud": Reader(_groups("fraud"), ("orders",)),
    "payment": Reader(_groups("payment"), ("orders",)),
    "analytics": Reader(
        _groups("analytics"), ("orders", "fraud-alerts", "payments", "orders-dlq")
    ),
}
