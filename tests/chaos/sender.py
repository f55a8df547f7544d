"""Sends orders at a steady rate and knows which of them Kafka has confirmed."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos import transactions
from tests.chaos.archive import Place
from tests.chaos.orders import Order, encoded, make_order, poison
from tests.chaos.sent import Sent

TOPIC = "orders"
TICK = 0.02
#: Seconds until a send counts as failed; longer than the broker is ever away.
PATIENCE = 60.0
#: How verdicts know on purpose bad records from orders.
POISON_HEADER = ("chaos", b"poison")
#: The first id of an order that is sent in a transaction.
TRANSACTIONAL = 100_000_000


class Sender:
    """A producer of its own, apart from the app."""

    def __init__(self, server: str, rate: float, seed: int) -> None:
        self.sent = Sent()
        #: How often the topic was deleted and made anew.
        self.epoch = 0
        self._server = server
        self._rate = rate
        self._rng = random.Random(f"orders of {seed}")
        self._recent: deque[Order] = deque(maxlen=200)
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._pausing = asyncio.Lock()
        self._transactions = 0
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
            # New partitions are soon used.
            metadata_max_age_ms=3000,
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

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is sent meanwhile, and what was sent before is confirmed or has failed."""
        async with self._pausing:
            self._open.clear()
            try:
                while self._waiting:
                    await asyncio.wait(self._waiting)
                yield
            finally:
                self._open.set()

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

    async def send_transaction(
        self, count: int, rng: random.Random, ending: transactions.Ending, seconds: float
    ) -> None:
        """Send new orders in one transaction that stays open for so long."""
        await self._open.wait()
        self._transactions += 1
        first = TRANSACTIONAL + self._transactions * 1000
        orders = [make_order(first + number, rng) for number in range(count)]
        name = f"chaos-{self._transactions}"
        sending = transactions.send(self._server, self.sent, name, orders, ending, seconds)
        await self._await_confirmation(sending)

    async def _send(
        self,
        key: bytes | None,
        value: bytes | None,
        order_id: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        await self._open.wait()
        try:
            future = await self._producer.send(TOPIC, value, key=key, headers=list(headers))
        except KafkaError:
            self.sent.failed += 1
            return
        self._await_confirmation(self._confirm(future, order_id, value))

    def _await_confirmation(self, confirming: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(confirming)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return task

    async def _confirm(
        self, future: "asyncio.Future[Any]", order_id: int | None, value: bytes | None
    ) -> None:
        try:
            record = await future
        except KafkaError:
            self.sent.failed += 1
        else:
            if order_id is None:
                place = Place(self.epoch, record.partition, record.offset)
                self.sent.poison[place] = value
            else:
                self.sent.confirm(order_id, record.partition)
