"""The records of the topics as items of the event stream."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiokafka import ConsumerRecord

from orderapp import topics
from orderapp.app import app
from orderapp.engine import Topic
from orderapp.engine.batches.structs import struct_of
from orderapp.letters.select import named_order
from orderapp.models import FraudAlert, Order, Payment
from orderapp.web.api.sent_order import SentOrder

#: Makes an item of a record, or raises.
Render = Callable[[ConsumerRecord], bytes]


class LiveOrder(SentOrder, frozen=True):
    """An order in the stream, and where it is in the topic."""

    partition: int
    offset: int


class LiveDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter in the stream."""

    order_id: int | None
    service: str
    error_class: str
    error_text: str


class EventBatch(msgspec.Struct, frozen=True):
    """The data of the event `batch`: what is new, the oldest first, and how many more were left
    out. Orders are as they will be stored, alerts and payments as they are on their topics."""

    orders: Sequence[LiveOrder]
    alerts: Sequence[struct_of(FraudAlert)]  # type: ignore[valid-type]
    payments: Sequence[struct_of(Payment)]  # type: ignore[valid-type]
    dead_letters: Sequence[LiveDeadLetter]
    skipped: int


def _checked(topic: Topic[Any]) -> Render:
    decode = topic.codec.decode

    def render(record: ConsumerRecord) -> bytes:
        value: bytes = record.value or b""
        decode(value)
        # A line break would end the line of the event, and begin another one.
        if b"\n" in value or b"\r" in value:
            value = msgspec.json.format(value, indent=-1)
        return value.strip()

    return render


def _order(record: ConsumerRecord) -> bytes:
    # As analytics will store it: its sender may have left out the time, or written it in
    # another form, which would not sort among the others.
    order: Order = app.decoder("orders").one(record)
    return msgspec.json.encode(
        LiveOrder(
            order.order_id,
            order.customer_id,
            order.amount,
            order.country,
            order.created_at or "",
            record.partition,
            record.offset,
        )
    )


def _dead_letter(record: ConsumerRecord) -> bytes:
    # The sender's own headers come behind ours, and must not replace them.
    headers = dict(reversed(record.headers))

    def text(name: str) -> str:
        return (headers.get(name) or b"").decode(errors="replace")[:500]

    said = text("service"), text("error-class"), text("error-text")
    return msgspec.json.encode(LiveDeadLetter(named_order(record), *said))


#: By topic: the name of its items in a message, and what makes them.
KINDS: dict[str, tuple[str, Render]] = {
    "orders": ("orders", _order),
    "fraud-alerts": ("alerts", _checked(topics.fraud_alerts)),
    "payments": ("payments", _checked(topics.payments)),
    "orders-dlq": ("dead_letters", _dead_letter),
}
