"""Reservations in Couchbase: documents that only one insert can create, and that expire there.

Called in threads, as everything that talks to the SDK; `options` are those of every write.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
from couchbase.collection import Collection
from couchbase.exceptions import (
    CasMismatchException,
    DocumentExistsException,
    DocumentNotFoundException,
)
from couchbase.options import InsertOptions, ReplaceOptions

from orderapp.store.reservations import Reservation


class _Document(Reservation, tag_field="type", tag="reservation", frozen=True):
    """What is stored; no query asks for this type."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Document).decode


def reserve(
    documents: Collection, wanted: Reservation, options: Mapping[str, Any]
) -> Reservation:
    """Insert a reservation, or find the one that is there."""
    key, value = _id(wanted), _encode(_Document(*msgspec.structs.astuple(wanted)))
    while True:
        with suppress(DocumentExistsException):
            documents.insert(key, value, InsertOptions(expiry=_left(wanted), **options))
            return wanted
        with suppress(DocumentNotFoundException):  # it has just expired
            return _read(documents.get(key).value)


def replace_reservation(
    documents: Collection, before: Reservation, after: Reservation, options: Mapping[str, Any]
) -> bool:
    """Change one that is still as it was."""
    key = _id(before)
    try:
        found = documents.get(key)
        if _read(found.value) != before:
            return False
        value = _encode(_Document(*msgspec.structs.astuple(after)))
        how = ReplaceOptions(cas=found.cas, expiry=_left(after), **options)
        documents.replace(key, value, how)
    except (CasMismatchException, DocumentNotFoundException):
        return False
    return True


def _id(reservation: Reservation) -> str:
    return f"reservation::{reservation.key}"


def _read(value: bytes) -> Reservation:
    return Reservation(*msgspec.structs.astuple(_decode(value)))


def _left(reservation: Reservation) -> timedelta:
    return timedelta(seconds=max(1, reservation.expires - int(time.time())))
