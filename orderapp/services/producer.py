"""Producer: fake orders, one every few seconds, without end."""

import asyncio
import logging
import time

from faker import Faker

from orderapp import topics
from orderapp.app import app, settings
from orderapp.models import Order, now

logger = logging.getLogger(__name__)

COUNTRIES = ("US", "CA", "DE", "IN", "GB")
#: Seconds until an order that Kafka does not confirm is given up (a new one follows).
PATIENCE = 60

fake = Faker()


class OrderIds:
    """Ids that never repeat, not after a restart either: the time in µs, always rising.

    One leader generates at a time; ids fit in 53 bits until the year 2255."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """The next id."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def make_order(order_id: int) -> Order:
    """A fake order: customer 1000 to 9999, amount 10 to 500 with 2 decimals."""
    return Order(
        order_id=order_id,
        customer_id=fake.random_int(1000, 9999),
        amount=fake.random_int(1000, 50000) / 100,
        country=fake.random_element(COUNTRIES),
        created_at=now(),
    )


order_ids = OrderIds()


@app.timer(settings.order_interval, on_leader=True)  # type: ignore[untyped-decorator]
async def produce() -> None:
    """Send a fake order."""
    order = make_order(order_ids.next())
    try:
        async with asyncio.timeout(PATIENCE):
            await (await topics.orders.send(key=str(order.order_id), value=order))
    except Exception as error:  # an exception would end Faust's timer for good
        logger.warning("order %d was not sent: %r", order.order_id, error)
    else:
        logger.info("order %d: %.2f from %s", order.order_id, order.amount, order.country)
