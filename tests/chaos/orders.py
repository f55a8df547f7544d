"""The records that are sent: orders, with what is to become of each, and records that are none.

The rules are written down here once more, apart from the app's, which they are checked against.
"""

import json
import random
from datetime import UTC, datetime
from typing import Any

COUNTRIES = ("US", "CA", "DE", "IN", "GB")
#: Shares of the orders.
DECLINED, WITHOUT_TIME, AT_THE_LIMIT, BURST = 0.05, 0.1, 0.02, 0.1
#: Among so many orders those of a burst are of one customer.
BURST_LENGTH = 200

Order = dict[str, Any]


def make_order(order_id: int, rng: random.Random) -> Order:
    """A safe, risky or declined order."""
    amount = rng.randint(1000, 50_000) / 100
    if rng.random() < AT_THE_LIMIT:
        amount = rng.choice((300.0, 300.01))
    elif rng.random() < DECLINED:
        amount = rng.choice((10_000.01, 25_000.0))
    order: Order = {
        "order_id": order_id,
        "customer_id": rng.randint(1000, 9999),  # most order rarely
        "amount": amount,
        "country": rng.choice(COUNTRIES),
    }
    if rng.random() < BURST:
        order["customer_id"] = 1000 + order_id // BURST_LENGTH % 9000
    if rng.random() >= WITHOUT_TIME:
        moment = datetime.now(UTC).isoformat(timespec="microseconds")
        order["created_at"] = moment.replace("+00:00", "Z")
    return order


def is_risky(order: Order, limit: float = 300) -> bool:
    """The rule of the contract."""
    return bool(order["amount"] > limit and order["country"] not in {"US", "CA"})


def status_of(order: Order) -> str:
    """What the gateway says to it."""
    return "DECLINED" if order["amount"] > 10_000 else "PAID"


def encoded(order: Order) -> tuple[bytes, bytes]:
    """Its key and value."""
    return b"%d" % order["order_id"], json.dumps(order).encode()


def poison(number: int, rng: random.Random) -> tuple[bytes | None, bytes | None]:
    """The key and value of a record that is no order."""
    fields = {"order_id": 1, "customer_id": 1234, "amount": 5, "country": "DE"}
    good = json.dumps(fields).encode()
    values: tuple[bytes | None, ...] = (
        None,
        b"",
        b"\xff\x00 no order",
        b"[1, 2]",
        b'{"order_id": 1, "x": ' + b"[" * 10_000,
        good.replace(b"5,", b'"5",'),
        good.replace(b"5,", b"-5,"),
        good.replace(b"5,", b"1e999,"),
        good.replace(b"1,", b"1" + b"0" * 400 + b",", 1),
        good.replace(b'"DE"', b"null"),
        good.replace(b'"DE"', b'"\xff"'),
        good[:-1] + b', "created_at": "yesterday"}',
    )
    index = rng.randrange(len(values) + 1)
    key = b"poison-%d" % number
    return (None, good) if index == len(values) else (key, values[index])
