"""What the event stream says, as server-sent events."""

from collections.abc import Sequence

import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.kafka.feed import Place
from orderapp.web.api.event_items import KINDS, Render

#: Items of one kind in a message; of more the newest are shown, and the others counted.
MOST = 200
#: Bytes of one item, and of the items of one kind in a message.
ITEM_BYTES, KIND_BYTES = 4096, 64 * 1024


class Gap(msgspec.Struct, frozen=True):
    """The data of the event `gap`: something was missed, so ask again for all."""

    reason: str


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
    """The place of an id; an id that is not ours is an unknown place."""
    epoch, _, number = text.rpartition("-")
    known = number.isascii() and number.isdigit() and len(number) <= 15
    return Place(epoch, int(number)) if known else Place("", 0)
