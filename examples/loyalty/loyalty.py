"""Loyalty: points for each paid order."""

from orderapp import topics
from orderapp.app import app
from orderapp.engine import Record
from orderapp.models import Payment


class Points(Record, include_metadata=False, serializer="json"):
    """Points for an order, on the topic `loyalty-points`."""

    order_id: int
    points: int


loyalty_points = app.batched_topic(
    "loyalty-points",
    Points,
    partitions=topics.PARTITIONS,
    key="order_id",
    text="Points for paid orders.",
)


@app.each(topics.payments, sends=loyalty_points)
def loyalty(payment: Payment) -> Points | None:
    """Give a point for each whole unit of an amount that was paid."""
    if payment.status != "PAID":
        return None
    return loyalty_points.message(order_id=payment.order_id, points=int(payment.amount))
