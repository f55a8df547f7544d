"""Mistakes that type checkers have to find: each line that ends with `wrong`, and no other."""

from collections.abc import Iterable

from faust.types import StreamT

from orderapp import topics
from orderapp.app import app
from orderapp.engine import Batch, Topic
from orderapp.models import FraudAlert, Order, Payment

ORDER = Order(order_id=1, customer_id=1234, amount=1.0, country="DE")
MISSPELT = Order(order_idd=1, customer_id=1234, amount=1.0, country="DE")  # wrong
PAYMENT = topics.payments.message(order_idd=1)  # wrong
ALERTS: list[FraudAlert] = []
WRONG_TOPIC: Topic[Order] = topics.payments  # wrong


@app.each(topics.orders, sends=topics.fraud_alerts)
def right(order: Order) -> FraudAlert | None:
    """Nothing is wrong here."""
    return None


@app.each(topics.orders, sends=topics.fraud_alerts)
def several(order: Order) -> Iterable[FraudAlert]:
    """Nor here."""
    return ALERTS


@app.each(topics.orders, sends=topics.fraud_alerts)
def misspelt_field(order: Order) -> FraudAlert | None:
    """A field that the order does not have."""
    return ALERTS[0] if order.amout > 300 else None  # wrong


@app.each(topics.orders, sends=topics.fraud_alerts)  # wrong
def other_value(payment: Payment) -> FraudAlert | None:
    """The work of another topic."""
    return None


@app.each(topics.orders, sends=topics.fraud_alerts)  # wrong
def other_message(order: Order) -> Payment | None:
    """A message for another topic."""
    return None


@app.each(topics.orders)  # wrong
def nowhere(order: Order) -> FraudAlert:
    """A message for no topic."""
    return ALERTS[0]


@app.batches(topics.orders, sends=topics.payments)
async def batch(orders: Batch[Order]) -> None:
    """Sends to the wrong topic."""
    await topics.payments.send_all(ALERTS, of=orders)  # wrong
    for order in orders:
        order.coutry  # noqa: B018  # wrong


@app.batches(topics.orders)  # wrong
async def other_batch(payments: Batch[Payment]) -> None:
    """The work of another topic."""


@app.batches(topics.orders)  # wrong
def no_coroutine(orders: Batch[Order]) -> None:
    """Not to be awaited."""


@app.agent(topics.orders)  # wrong
async def one_by_one(orders: StreamT[Order]) -> None:
    """What comes in batches, taken for single values."""


@app.agent(topics.orders)
async def in_batches(orders: StreamT[Batch[Order]]) -> None:
    """As they come."""
