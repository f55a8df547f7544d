"""What the event stream says: the records of the topics as server-sent events."""

from collections.abc import Callable, Sequence
from typing import Any

import faust
import msgspec
from aiokafka import ConsumerRecord

from orderapp.app import app
from orderapp.engine.batches.framing import plain_key
from orderapp.engine.batches.structs import struct_of
from orderapp.engine.kafka.feed import Place
from orderapp.models import FraudAlert, Order, Payment

#: Items of one kind in a message; of more the newest are shown, and the others counted.
MOST = 200
#: Bytes of one item, and of the items of one kind in a message.
ITEM_BYTES, KIND_BYTES = 4096, 64 * 1024

#: Makes an item of a record, or raises.
Render = Callable[[ConsumerRecord], bytes]


class LiveOrder(msgspec.Struct, frozen=True):
    """An order in the stream, and where it is in the topic."""

    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: str
    partition: int
    offset: int


class LiveDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter in the stream."""

    order_id: int | None
    service: str
    error_class: str
    error_text: str


class Gap(msgspec.Struct, frozen=True):
    """The data of the event `gap`: something was missed, so ask again for all."""

    reason: str


def _checked(model: type[faust.Record]) -> Render:
    decode: Any = msgspec.json.Decoder(struct_of(model)).decode

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

    key = plain_key(record.key)[:20]
    order_id = int(key) if key.isdigit() else None
    return msgspec.json.encode(
        LiveDeadLetter(order_id, text("service"), text("error-class"), text("error-text"))
    )


#: By topic: the name of its items in a message, and what makes them.
KINDS: dict[str, tuple[str, Render]] = {
    "orders": ("orders", _order),
    "fraud-alerts": ("alerts", _checked(FraudAlert)),
    "payments": ("payments", _checked(Payment)),
    "orders-dlq": ("dead_letters", _dead_letter),
}


def render(place: Place, records: Sequence[ConsumerRecord], skipped: int) -> bytes:
    """One `batch` event; what is too much for it is counted as `skipped`."""
    by_topic: dict[str, list[ConsumerRecord]] = {topic: [] for topic in KINDS}
    for record in records:
        by_topic[record.topic].append(record)
    parts = []
    for topic, (name, make) in KINDS.items():
        items, left_out = _newest(by_topic[topic], make)
        parts.append(b'"%b":[%b]' % (name.encode(), b",".join(items)))
        skipped += left_out
    parts.append(b'"skipped":%d' % skipped)
    return event("batch", place, b"{%b}" % b",".join(parts))


def _newest(records: Sequence[ConsumerRecord], make: Render) -> tuple[list[bytes], int]:
    items: list[bytes] = []
    size = 0
    taken = 0
    # They come one partition after the other.
    in_time = sorted(records, key=lambda record: record.timestamp)
    for record in reversed(in_time[-MOST:]):
        try:
            item = make(record)
        except Exception:
            taken += 1  # it becomes a dead letter, which is shown
            continue
        if len(item) > ITEM_BYTES:
            continue
        size += len(item)
        if size > KIND_BYTES:
            break
        items.append(item)
        taken += 1
    return items[::-1], len(records) - taken


def event(name: str, place: Place, data: bytes) -> bytes:
    """A server-sent event."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id(place), name.encode(), data)


def event_id(place: Place) -> bytes:
    """A place as clients send it back in `Last-Event-ID`."""
    return f"{place.epoch}-{place.number}".encode()


def read_event_id(text: str) -> Place:
    """The place of an id; one that is none of ours is a place that is not known."""
    epoch, _, number = text.rpartition("-")
    known = number.isascii() and number.isdigit() and len(number) <= 15
    return Place(epoch, int(number)) if known else Place("", 0)
