"""Ids of new orders, for the API and the producer: they rise with time, and no two workers make
the same.

Every worker owns blocks of 256 ids. A block is told from every other one by what Kafka gives:
the id of a producer, which is given once and to nobody else (`engine.kafka.producer_ids`). That
is what makes ids unique; a clock or a random number would only make it likely.

    bits     27 time, in spans of 16 s since 2026     16 producer id     8 within the block

Producer ids grow without end, so that an id holds their low 16 bits, and the time at which they
were given: Kafka would have to give 65,536 within a span to give the same ones again. (They
rise one by one, since all workers ask one broker. When that is lost, another one's meet them
in that one span, and could be the same only if they were a multiple of 65,536 apart.) The
time also keeps ids apart when Kafka itself begins anew, with another cluster or an empty disk,
and it is why they rise: databases store rising keys several times as cheaply as random ones. A
worker uses a block for one span, then asks for another one; ids of different workers are in the
order of time to within a span, those of one worker always.

The store could number workers too; but orders are taken while it is away, and the producer has
none. Who can send an order can ask Kafka.

Other ids: below `FIRST` those of earlier versions' producers, the time in µs, which reach it
in 2041; from 2**52 to 2**53, up to which JavaScript is exact, those of earlier versions' API,
which were random.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from orderapp.app import app

#: The lowest id, and above the highest, which is of the year 2094.
FIRST: int = 2**51
END: int = 2**52
#: Seconds; Unix time of the first span.
SPAN, BEGINNING = 16, 1_767_225_600
TIME_BITS, NUMBER_BITS, BLOCK_BITS = 27, 16, 8


class OrderIds:
    """Makes ids; `new_number` returns a number that nobody else gets, and may raise."""

    def __init__(self, new_number: Callable[[], Awaitable[int]]) -> None:
        self._new_number = new_number
        self._asking = asyncio.Lock()
        self._span = 0
        #: What is left of the block, and until when (of the monotonic clock) it is used.
        self._next = self._end = FIRST
        self._until = 0.0

    async def next(self) -> int:
        """The next id, higher than the one before; raises what `new_number` raises."""
        while self._is_used_up():
            async with self._asking:
                if self._is_used_up():
                    self._begin(await self._new_number())
        self._next += 1
        return self._next - 1

    def _is_used_up(self) -> bool:
        return self._next == self._end or time.monotonic() >= self._until

    def _begin(self, number: int) -> None:
        # Never back, whatever the clock does.
        self._span = max(self._span, int(time.time() - BEGINNING) // SPAN)
        if _block(self._span, number) < self._end:  # the low bits of the number began again
            self._span += 1
        self._next = _block(self._span, number)
        self._end = self._next + 2**BLOCK_BITS
        self._until = time.monotonic() + SPAN


def _block(span: int, number: int) -> int:
    """The first id of a block."""
    span, number = min(span, 2**TIME_BITS - 1), number % 2**NUMBER_BITS
    return FIRST + ((span << NUMBER_BITS | number) << BLOCK_BITS)


order_ids = OrderIds(lambda: app.unique_number("orders"))
