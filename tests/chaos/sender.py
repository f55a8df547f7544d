"""Sends orders at a steady rate and knows which of them Kafka has confirmed."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.orders import Order, encoded, make_order, poison

TOPIC = "orders"
TICK = 0.02
#: Seconds until a send counts as failed; longer than the broker is ever away.
PATIENCE = 60.0
#: How verdicts know on purpose bad records from orders.
POISON_HEADER = ("chaos", b"poison")


@dataclass
class Sent:
    """What was sent, and what Kafka said."""

    #: By order id; an order that was sent again counts once.
    orders: dict[int, Order] = field(default_factory=dict)
    #: When each was sent first (Unix time).
    sent_at: dict[int, float] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    #: Place (partition, offset) and value of bad records that Kafka has confirmed.
    poison: dict[tuple[int, int], bytes | None] = field(default_factory=dict)
    duplicates: int = 0
    failed: int = 0


class Sender:
    """A producer of its own, apart from the app."""

    def __init__(self, server: str, rate: float, seed: int) -> None:
        self.sent = Sent()
        self._server = server
        self._rate = rate
        self._rng = random.Random(f"orders of {seed}")
        self._recent: deque[Order] = deque(maxlen=200)
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped = asyncio.Event()
        self._producer: AIOKafkaProducer

    async def run(self) -> None:
        """Send until `stop`, then wait until everything is confirmed or has failed."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._server,
            acks="all",
            linger_ms=5,
            # What is sent while the broker is away waits here, and the rate stays.
            max_batch_size=1024 * 1024,
            request_timeout_ms=int(PATIENCE * 1000),
        )
        await self._producer.start()
        try:
            await self._send_steadily()
            if self._waiting:
                await asyncio.wait(self._waiting, timeout=PATIENCE + 10)
        finally:
            await asyncio.wait_for(self._producer.stop(), PATIENCE)

    def stop(self) -> None:
        self._stopped.set()

    async def _send_steadily(self) -> None:
        began, number = time.monotonic(), 0
        while not self._stopped.is_set():
            due = int((time.monotonic() - began) * self._rate)
            for number in range(number + 1, due + 1):  # noqa: B020 - goes on where it was
                await self._order(make_order(number, self._rng))
            await asyncio.sleep(TICK)

    async def _order(self, order: Order) -> None:
        order_id = order["order_id"]
        self.sent.orders.setdefault(order_id, order)
        self.sent.sent_at.setdefault(order_id, time.time())
        self._recent.append(order)
        await self._send(*encoded(order), order_id=order_id)

    async def send_again(self, count: int, rng: random.Random) -> None:
        """Send recent orders once more, as senders do that got no answer."""
        for order in rng.choices(self._recent or [None], k=count):
            if order is not None:
                self.sent.duplicates += 1
                await self._send(*encoded(order), order_id=order["order_id"])

    async def send_poison(self, count: int, rng: random.Random) -> None:
        """Send records that are no orders."""
        for number in range(count):
            key, value = poison(number, rng)
            await self._send(key, value, headers=[POISON_HEADER])

    async def _send(
        self,
        key: bytes | None,
        value: bytes | None,
        order_id: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        try:
            future = await self._producer.send(TOPIC, value, key=key, headers=list(headers))
        except KafkaError:
            self.sent.failed += 1
            return
        task = asyncio.ensure_future(self._confirm(future, order_id, value))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _confirm(
        self, future: "asyncio.Future[object]", order_id: int | None, value: bytes | None
    ) -> None:
        try:
            record = await future
        except KafkaError:
            self.sent.failed += 1
        else:
            if order_id is None:
                self.sent.poison[record.partition, record.offset] = value
            else:
                self.sent.confirmed.add(order_id)
