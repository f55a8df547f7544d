"""What was sent, and what Kafka said."""

from dataclasses import dataclass, field

from tests.chaos.archive import Place
from tests.chaos.orders import Order


@dataclass
class Sent:
    """All that senders know."""

    #: By order id; an order that was sent again counts once.
    orders: dict[int, Order] = field(default_factory=dict)
    #: When each was sent first (Unix time); in a transaction, when that was committed.
    sent_at: dict[int, float] = field(default_factory=dict)
    #: In a transaction, when Kafka has confirmed the commit.
    confirmed: set[int] = field(default_factory=set)
    #: The partition of each that was confirmed.
    partitions: dict[int, int] = field(default_factory=dict)
    #: Those that were sent in transactions, and of these what Kafka confirmed to be aborted.
    transactional: set[int] = field(default_factory=set)
    aborted: set[int] = field(default_factory=set)
    #: Place and value of bad records that Kafka has confirmed.
    poison: dict[Place, bytes | None] = field(default_factory=dict)
    duplicates: int = 0
    failed: int = 0

    def confirm(self, order_id: int, partition: int) -> None:
        """It is in Kafka, and can be read."""
        self.confirmed.add(order_id)
        self.partitions.setdefault(order_id, partition)
