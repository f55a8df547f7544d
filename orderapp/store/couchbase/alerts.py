"""Alerts in Couchbase, whose reasons are in their ids: `alert::<order id>::<reason>`.

To get those of an order the reasons have to be known: the document `alert-reasons` lists all
that alerts were written for, each before its first alert (and those of rules in the shadow,
whose documents are `shadow::<order id>::<reason>`). Earlier versions had one alert of an
order, under `alert::<order id>`: it is read too, and replaced by one of the same reason. To
look for it before each alert makes all writes a sixth dearer: so the document also says which
records may have one.
"""

from collections.abc import Iterable, Mapping

import msgspec

from orderapp.store.documents import AlertDocument

#: The document that lists the reasons, and how many it holds: each is a get for every order.
REASONS, MOST = "alert-reasons", 50


class Reasons(msgspec.Struct, tag_field="type", tag=REASONS, frozen=True):
    """What the document has."""

    reasons: list[str] = []
    #: Records with a time (in ms) up to this one may have an alert of an earlier version.
    old_until: int = 2**53


_decode = msgspec.json.Decoder(Reasons).decode
_decode_alert = msgspec.json.Decoder(AlertDocument).decode


def old_id(order_id: int) -> str:
    """The id that the one alert of an order had."""
    return f"alert::{order_id}"


def read(value: bytes | None) -> Reasons:
    """What the document has."""
    try:
        return Reasons() if value is None else _decode(value)
    except msgspec.MsgspecError:  # another program's
        return Reasons()


def replaced(alerts: Iterable[AlertDocument], found: Mapping[str, bytes]) -> dict[str, str]:
    """Under which id to write an alert whose reason the document of an earlier version has, by
    its own id. `found` has those documents."""
    ids: dict[str, str] = {}
    for alert in alerts:
        before = found.get(old_id(alert.order_id))
        if before is not None and _reason_of(before) == alert.reason:
            ids[alert.id] = old_id(alert.order_id)
    return ids


def _reason_of(value: bytes) -> str | None:
    try:
        return _decode_alert(value).reason
    except msgspec.MsgspecError:  # another program's
        return None
