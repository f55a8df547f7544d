"""Writes the document `alert-reasons` (see `alerts`).

Called in threads, as everything that talks to the SDK.
"""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from couchbase.collection import Collection
from couchbase.exceptions import (
    CasMismatchException,
    DocumentExistsException,
    DocumentNotFoundException,
)
from couchbase.options import InsertOptions, ReplaceOptions

from orderapp.engine.observe.logs import Few
from orderapp.store.couchbase.alerts import MOST, REASONS, Reasons, listed

log = logging.getLogger(__name__)
_few = Few(log, logging.WARNING, "batches", most=1, seconds=3600)

_encode = msgspec.json.Encoder().encode


def add(documents: Collection, reasons: set[str], options: Mapping[str, Any]) -> None:
    """List these reasons too, as far as there is room; several may do so at once."""
    while not _add(documents, reasons, options):
        pass


def _add(documents: Collection, reasons: set[str], options: Mapping[str, Any]) -> bool:
    """False: somebody else was quicker."""
    try:
        found = documents.get(REASONS)
    except DocumentNotFoundException:
        found = None
    before = listed(None if found is None else found.value)
    value = _encode(Reasons(_joined(before, reasons)))
    try:
        if found is None:
            documents.insert(REASONS, value, InsertOptions(**options))
        elif value != found.value:
            documents.replace(REASONS, value, ReplaceOptions(cas=found.cas, **options))
    except (CasMismatchException, DocumentExistsException, DocumentNotFoundException):
        return False
    return True


def _joined(before: list[str], reasons: set[str]) -> list[str]:
    after = [*before, *sorted(reasons.difference(before))]
    if len(after) > MOST and _few.room():
        line = "alerts have more than %d reasons: those of %s are kept, and not shown"
        log.warning(line, MOST, ", ".join(after[MOST:]))
    return after[:MOST]
