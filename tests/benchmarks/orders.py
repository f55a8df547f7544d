"""The orders of a benchmark: the same for everyone, from a seed."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from aiokafka.partitioner import murmur2

from orderapp.models import Order, format_time
from orderapp.order_ids import OrderIds
from orderapp.services.producer import COUNTRIES

SEED = 20_250_601
PARTITIONS = 6
BEGINNING = datetime(2025, 6, 1, tzinfo=UTC)

#: Orders that every contender gets before the clock starts: imports, connections, tables and
#: assignments are then done, and no figure holds them.
WARM_UP = 600


def partition_of(key: bytes) -> int:
    """Where Kafka's own partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % PARTITIONS


@dataclass(frozen=True)
class Message:
    """An order as it lies in Kafka."""

    order_id: int
    key: bytes
    value: bytes
    partition: int
    is_risky: bool


def make_message(order_id: int, rng: random.Random, created_at: str) -> Message:
    """A random order as the contract has it."""
    amount, country = rng.randint(1000, 50_000) / 100, rng.choice(COUNTRIES)
    order = {
        "order_id": order_id,
        "customer_id": rng.randint(1000, 9999),
        "amount": amount,
        "country": country,
        "created_at": created_at,
    }
    key = b"%d" % order_id
    return Message(
        order_id,
        key,
        json.dumps(order).encode(),
        partition_of(key),
        # Not taken from the fraud service: it is what that service is checked against.
        amount > 300 and country not in {"US", "CA"},
    )


#: Ids of the measured orders: rising by one; random, as those of other people's systems are and
#: ours were; and made by orderapp for three workers in turn, which use a block each.
IDS = ("rising", "random", "made")


def _ids(kind: str, count: int) -> Sequence[int]:
    if kind == "random":
        return random.Random(SEED).sample(range(2**52, 2**53), count)
    if kind == "made":
        return asyncio.run(_made(count))
    return range(WARM_UP + 1, WARM_UP + count + 1)


async def _made(count: int) -> list[int]:
    numbers = itertools.count(1000)

    async def number() -> int:
        return next(numbers)

    workers = [OrderIds(number) for _ in range(3)]
    return [await workers[at % 3].next() for at in range(count)]


def _messages(ids: Iterable[int]) -> Iterator[Message]:
    rng = random.Random(SEED)
    for at, order_id in enumerate(ids, 1):
        created_at = format_time(BEGINNING + timedelta(milliseconds=at))
        yield make_message(order_id, rng, created_at)


class Workload:
    """The orders of a run: the first `WARM_UP` before the clock, then `count` that are
    measured."""

    def __init__(self, count: int, ids: str = "rising") -> None:
        self.count = count
        self.kind = ids
        self.messages = list(_messages([*range(1, WARM_UP + 1), *_ids(ids, count)]))

    @property
    def warm_up(self) -> Sequence[Message]:
        return self.messages[:WARM_UP]

    @property
    def measured(self) -> Sequence[Message]:
        return self.messages[WARM_UP:]

    @cached_property
    def ids(self) -> frozenset[int]:
        return frozenset(message.order_id for message in self.messages)

    @cached_property
    def risky_ids(self) -> frozenset[int]:
        return frozenset(message.order_id for message in self.messages if message.is_risky)

    @cached_property
    def risky_at_warm_up(self) -> int:
        return sum(message.is_risky for message in self.warm_up)


assert set(Order._options.fields) == set(json.loads(next(_messages([1])).value))
