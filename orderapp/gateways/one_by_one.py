"""Batches for a gateway that takes one charge in a request."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orderapp.engine.batches.batch import Batch
from orderapp.engine.dead_letters.headers import seen_since
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up
from orderapp.gateways import (
    ChargeRefusedError,
    GatewayBlockedError,
    KeyReusedError,
    PaymentGateway,
    Report,
    payment_id,
)
from orderapp.models import Order, PaymentStatus

#: What is blocked while the gateway would refuse every order.
PLACE = "payment gateway"
CURE = (
    "Orders wait, and none is given up; "
    "check ORDERAPP_PAYMENT_URL, ORDERAPP_PAYMENT_TOKEN, and what the gateway's log says"
)


class OneByOneGateway(PaymentGateway):
    """`charge_all` by `charge`, at most `requests` at one time.

    The gateway keeps keys for `key_hours`. An order that may have been charged longer ago is
    asked for before it is charged: without its key it would be charged twice."""

    def __init__(self, requests: int, key_hours: int) -> None:
        self._room = asyncio.Semaphore(requests)
        self._turn = asyncio.Lock()
        self._key_ms = key_hours * 3_600_000

    async def charge_all(self, orders: Batch[Order], report: Report) -> dict[int, Exception]:
        charges = _Charges(self, orders, report)
        tasks: list[asyncio.Task[None]] = []
        try:
            # Waiting for a slow gateway is no stall. Batches begin in turn, so that the first
            # ones are finished, and committed, first.
            with held_up.waiting((orders.topic, orders.partition)):
                async with self._turn:
                    await self._begin(charges, tasks)
            await asyncio.gather(*tasks)
            await asyncio.gather(*charges.reports)
        finally:
            left = [*tasks, *charges.reports]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        return charges.failed

    async def _begin(self, charges: "_Charges", tasks: list[asyncio.Task[None]]) -> None:
        indices = list(range(len(charges.orders)))
        if PLACE in blocked:
            random.shuffle(indices)  # so that it is not always the same one that is tried
        for index in indices:
            await self._room.acquire()
            if tasks and PLACE in blocked:
                await asyncio.wait(tasks)
                if PLACE in blocked:
                    self._room.release()
                    untried = GatewayBlockedError("not asked: no order gets through")
                    charges.failed |= dict.fromkeys(indices[len(tasks) :], untried)
                    return
            task = asyncio.create_task(charges.settle(index))
            # Not in the task: one that is cancelled before its first step would not do it.
            task.add_done_callback(lambda _: self._room.release())
            tasks.append(task)

    async def charge_or_recall(self, order: Order, since_ms: int) -> PaymentStatus:
        """Charge an order that may have been charged since `since_ms` (ms of Unix time)."""
        key, amount = payment_id(order.order_id), order.amount
        if since_ms < time.time() * 1000 - self._key_ms:
            found = await self.lookup(key)
            if found is not None:
                if found.amount != amount:
                    raise KeyReusedError(key, amount, found.amount)
                return found.status
        return await self.charge(order.order_id, key, amount)


class _Charges:
    """What becomes of the orders of one batch."""

    def __init__(self, gateway: OneByOneGateway, orders: Batch[Order], report: Report) -> None:
        self.orders = orders
        self.failed: dict[int, Exception] = {}
        self._gateway = gateway
        self._report = report
        self._answered: dict[int, PaymentStatus] = {}
        #: One after the other. Apart from the charges: while Kafka takes no payments of this
        #: partition, those of others have the room to be charged.
        self.reports: list[asyncio.Task[None]] = []

    async def settle(self, index: int) -> None:
        """Charge the order with this index, and see that it is reported."""
        with self._noting(index):
            order, since = self.orders.values[index], seen_since(self.orders.records[index])
            self._answered[index] = await self._gateway.charge_or_recall(order, since)
            blocked.free(PLACE)
        if self._answered and (not self.reports or self.reports[-1].done()):
            self.reports.append(asyncio.create_task(self._report_all()))

    async def _report_all(self) -> None:
        # What is answered while one report is under way goes along with the next.
        while self._answered:
            ready, self._answered = self._answered, {}
            await self._report(ready)

    @contextmanager
    def _noting(self, index: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is, the other orders go on
            self.failed[index] = error
            if isinstance(error, GatewayBlockedError):
                blocked.block(PLACE, f"the payment gateway takes no order: {error.why}. {CURE}")
            elif isinstance(error, ChargeRefusedError):
                blocked.free(PLACE)  # this order is refused, and others need not be
