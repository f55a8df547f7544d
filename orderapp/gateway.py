"""The simulated payment gateway, with the faults that the settings ask for.

It does what a real one does: the same idempotency key is charged once and always gets the same
answer, each request takes its time, and some requests get no answer at all.
"""

import asyncio
import random
from typing import Final
from zlib import crc32

from orderapp.engine.errors import RetryableError
from orderapp.models import Order, PaymentStatus
from orderapp.settings import Faults

#: The gateway declines charges above this amount.
LIMIT = 10_000
#: A request that gets no answer is given up after so many times the usual delay.
PATIENCE = 10
PAID: Final = "PAID"
DECLINED: Final = "DECLINED"


class GatewayTimeoutError(RetryableError):
    """The gateway did not answer: the order may be charged or not. Ask again."""


class Gateway:
    """Takes `delay` seconds for each charge; charges at one time do not wait for each other."""

    def __init__(self, delay: float, faults: Faults) -> None:
        self.delay = delay
        self._faults = faults
        self._fails = bool(faults.gateway_timeout or faults.gateway_slow)

    def groups(self, count: int) -> list[tuple[float, bool, list[int]]]:
        """`count` requests by their fate: seconds, whether an answer comes, and their indices.

        One group for all, as long as nothing is broken on purpose."""
        if not self._fails:
            return [(self.delay, True, list(range(count)))]
        fates: dict[tuple[float, bool], list[int]] = {}
        for index in range(count):
            fates.setdefault(self._fate(), []).append(index)
        return [(seconds, answers, which) for (seconds, answers), which in fates.items()]

    def _fate(self) -> tuple[float, bool]:
        if random.random() < self._faults.gateway_timeout:  # noqa: S311 - no secret
            return self.delay * PATIENCE, False
        if random.random() < self._faults.gateway_slow:  # noqa: S311 - no secret
            return self.delay * self._faults.SLOW, True
        return self.delay, True

    async def wait(self, seconds: float) -> None:
        """The time that a request takes."""
        if seconds:
            await asyncio.sleep(seconds)

    def answer(self, order: Order) -> PaymentStatus:
        """`PAID` or `DECLINED`, for the same order always the same."""
        if order.amount > LIMIT or self._is_declined(order.order_id):
            return DECLINED
        return PAID

    def _is_declined(self, order_id: int) -> bool:
        rate = self._faults.gateway_decline
        return rate > 0 and crc32(b"%d" % order_id) < rate * 2**32
