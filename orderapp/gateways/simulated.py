"""The simulated payment gateway, with the faults that the settings ask for.

It does what a real one does: the same idempotency key is charged once and always gets the same
answer, another amount under it is refused, each request takes its time, and some requests get
no answer at all. Whether an order is declined follows from the order, so a restart does not
change it; what was answered is kept in memory, for the last orders only.
"""

import asyncio
from zlib import crc32

from orderapp import metrics
from orderapp.engine.batches.batch import Batch
from orderapp.gateways import (
    DECLINED,
    PAID,
    Charged,
    GatewayTimeoutError,
    KeyReusedError,
    PaymentGateway,
    Report,
    payment_id,
)
from orderapp.models import Order, PaymentStatus
from orderapp.settings import Faults

#: The gateway declines charges above this amount.
LIMIT = 10_000
#: A request that gets no answer is given up after so many times the usual delay.
PATIENCE = 10
#: The latest charges that are remembered, and at most as many before them (about 4 MB).
LATEST = 10_000


class SimulatedGateway(PaymentGateway):
    """Takes `delay` seconds for each charge; charges at one time do not wait for each other."""

    def __init__(self, delay: float, faults: Faults) -> None:
        self.delay = delay
        self._faults = faults
        #: By order id: there is one key for each. And those before, which go all at once.
        self._charged: dict[int, Charged] = {}
        self._before: dict[int, Charged] = {}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def charge(self, order_id: int, key: str, amount: float) -> PaymentStatus:
        ((seconds, answers, _),) = self._groups(1)
        await self._answered(seconds, answers, 1)
        charged = self._charge(order_id, amount)
        if charged.amount != amount:
            raise KeyReusedError(key, amount, charged.amount)
        return charged.status

    async def lookup(self, key: str) -> Charged | None:
        """See `PaymentGateway`; what it has forgotten is None as well."""
        digits = key.removeprefix("pay-")
        order_id = int(digits) if digits.isdecimal() else -1
        return self._known(order_id)

    async def charge_all(self, orders: Batch[Order], report: Report) -> dict[int, Exception]:
        """See `PaymentGateway`. A timer for each group of orders, not for each order."""
        groups = self._groups(len(orders))
        results = await asyncio.gather(
            *(self._charge_group(orders, *group, report) for group in groups),
            return_exceptions=True,
        )
        failed: dict[int, Exception] = {}
        for (_, _, which), result in zip(groups, results, strict=True):
            if isinstance(result, GatewayTimeoutError):
                failed |= dict.fromkeys(which, result)
            elif isinstance(result, BaseException):
                raise result
            else:
                failed |= result
        return failed

    async def _charge_group(
        self,
        orders: Batch[Order],
        seconds: float,
        answers: bool,
        which: list[int],
        report: Report,
    ) -> dict[int, Exception]:
        await self._answered(seconds, answers, len(which))
        charge, values = self._charge, orders.values
        said: dict[int, PaymentStatus] = {}
        refused: dict[int, Exception] = {}
        for index in which:
            order = values[index]
            order_id, amount = order.order_id, order.amount
            charged = charge(order_id, amount)
            if charged.amount == amount:
                said[index] = charged.status
            else:
                refused[index] = KeyReusedError(payment_id(order_id), amount, charged.amount)
        self._forget()
        if said:
            await report(said)
        return refused

    def _groups(self, count: int) -> list[tuple[float, bool, list[int]]]:
        """`count` requests by their fate: seconds, whether an answer comes, and their indices.

        One group for all, as long as nothing is broken on purpose."""
        if not (self._faults.gateway_timeout or self._faults.gateway_slow):
            return [(self.delay, True, list(range(count)))]
        fates: dict[tuple[float, bool], list[int]] = {}
        for index in range(count):
            fates.setdefault(self._fate(), []).append(index)
        return [(seconds, answers, which) for (seconds, answers), which in fates.items()]

    def _fate(self) -> tuple[float, bool]:
        faults = self._faults
        if faults.happens(faults.gateway_timeout):
            return self.delay * PATIENCE, False
        if faults.happens(faults.gateway_slow):
            return self.delay * faults.SLOW, True
        return self.delay, True

    async def _answered(self, seconds: float, answers: bool, count: int) -> None:
        """The time that `count` requests take."""
        if seconds:
            await asyncio.sleep(seconds)
        if not answers:
            metrics.asked(GatewayTimeoutError.result, count)
            raise GatewayTimeoutError(f"the gateway did not answer within {seconds:g} s")
        metrics.asked("answered", count)

    def _charge(self, order_id: int, amount: float) -> Charged:
        """What is charged for an order, now or before: the rate may be another one since."""
        charged = self._known(order_id)
        if charged is None:
            rate = self._faults.gateway_decline
            is_declined = amount > LIMIT or (rate and crc32(b"%d" % order_id) < rate * 2**32)
            charged = Charged(DECLINED if is_declined else PAID, amount)
            self._charged[order_id] = charged
        return charged

    def _known(self, order_id: int) -> Charged | None:
        return self._charged.get(order_id) or self._before.get(order_id)

    def _forget(self) -> None:
        if len(self._charged) > LATEST:
            self._before, self._charged = self._charged, {}
