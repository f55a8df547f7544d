"""Reservations: which order an idempotency key stands for, and whether Kafka has it.

Who wants to send an order under a key inserts a reservation first. The store takes one for a
key, and that decides between all workers: the order of the first one is the order of the key.
"""

import time

import msgspec


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """An order that is sent under a key. It is what the body of the request said, so that it
    also tells another body."""

    #: 32 hex digits: a hash of the key.
    key: str
    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: str
    #: Unix time (s) from which the key may be used anew.
    expires: int
    #: The process that sends it, and a number that rises as long as it does.
    holder: str
    beat: int = 0
    #: Whether Kafka has confirmed it.
    is_confirmed: bool = False

    def has_expired(self) -> bool:
        """Whether it counts for nothing any more."""
        return self.expires <= time.time()
