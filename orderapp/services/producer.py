"""Producer: fake orders, one every few seconds, without end."""

import asyncio
import logging
import random
from functools import cache
from typing import TYPE_CHECKING

from orderapp import topics
from orderapp.app import app, settings
from orderapp.engine.errors import SendRefusedError
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.texts import one_line
from orderapp.models import Order, now
from orderapp.order_ids import order_ids

if TYPE_CHECKING:
    from faker import Faker

logger = logging.getLogger(__name__)
#: With short intervals these are hundreds of lines a second.
few = Few(logger, what="orders", most=50)
few_unsent = Few(logger, logging.WARNING, "orders that were not sent", most=1, seconds=60)

COUNTRIES = ("US", "CA", "DE", "IN", "GB")
#: Seconds until an order that Kafka does not confirm is given up (a new one follows).
PATIENCE = 60

#: How often a duplicated order is sent again (`ORDERAPP_FAULT_DUPLICATES`).
REPEATS = 10
#: Orders by which a stolen card is tested, and the most that one is about
#: (`ORDERAPP_FAULT_ATTACK`).
TRIES, SMALL = 8, 5
#: What is sent as if it were an order (`ORDERAPP_FAULT_POISON`).
POISON = (
    b"",
    b"not JSON",
    b"[]",
    b'{"order_id":1}',
    b'{"order_id":"x","customer_id":1234,"amount":1,"country":"DE"}',
    b'{"order_id":1,"customer_id":1234,"amount":-1,"country":"DE"}',
    b'{"order_id":1e999,"customer_id":1234,"amount":1,"country":"DE"}',
    b"\xff\xfe\x00",
)


@cache
def _fake() -> "Faker":
    # Its import is an eighth of a start, and commands and most workers make no orders.
    from faker import Faker

    return Faker()


def make_order(order_id: int) -> Order:
    """A fake order: customer 1000 to 9999, amount 10 to 500 with 2 decimals."""
    fake = _fake()
    return Order(
        order_id=order_id,
        customer_id=fake.random_int(1000, 9999),
        amount=fake.random_int(1000, 50000) / 100,
        country=fake.random_element(COUNTRIES),
        created_at=now(),
    )


@app.timer(settings.order_interval, on_leader=True, sends=topics.orders)  # type: ignore[untyped-decorator]
async def produce() -> None:
    """Send a fake order."""
    what, about = "an order", dict[str, int | str]()
    try:
        async with asyncio.timeout(PATIENCE):
            order = make_order(await order_ids.next())
            what, about["order_id"] = f"order {order.order_id}", order.order_id
            trace_id = await topics.orders.send_one(order)
            await disturb(order)
    except Exception as error:  # an exception would end Faust's timer for good
        if isinstance(error, SendRefusedError):
            blocked.block("producer", f"no order is generated: {error}")
        if few_unsent.room():
            text = one_line(error) or repr(error)
            logger.warning("%s was not sent: %s", what, text, extra=about)
    else:
        blocked.free("producer")
        if few.room():
            line = "order %d: %.2f from %s"
            about["trace_id"] = trace_id
            logger.info(line, order.order_id, order.amount, order.country, extra=about)


@app.on_partitions_revoked.connect
async def hand_over(*_: object, **__: object) -> None:
    """From now on it may be another worker that generates."""
    blocked.free("producer", mended=False)


async def disturb(order: Order) -> None:
    """Send what the settings ask for besides: the order again, what is no order, and an attack
    on its customer."""
    faults = settings.faults
    if faults.happens(faults.duplicates):
        await asyncio.gather(*(topics.orders.send_one(order) for _ in range(REPEATS)))
    if faults.happens(faults.poison):
        await app.send_all("orders", None, [(b"poison", random.choice(POISON))])  # noqa: S311 - no secret
    if faults.happens(faults.attack):
        for _ in range(TRIES):
            await topics.orders.send_one(make_try(await order_ids.next(), order))


def make_try(order_id: int, of: Order) -> Order:
    """One of the small orders by which somebody finds out whether the card of an order's
    customer works."""
    return Order(
        order_id=order_id,
        customer_id=of.customer_id,
        amount=_fake().random_int(100, 100 * SMALL) / 100,
        country=of.country,
        created_at=now(),
    )
