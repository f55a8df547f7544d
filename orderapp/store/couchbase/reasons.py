"""Writes the document `alert-reasons` (see `alerts`).

Called in threads, as everything that talks to the SDK.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from couchbase.collection import Collection
from couchbase.exceptions import (
    CasMismatchException,
    DocumentExistsException,
    DocumentNotFoundException,
)
from couchbase.options import InsertOptions, ReplaceOptions
from msgspec.structs import replace

from orderapp.engine.observe.logs import Few
from orderapp.store.couchbase.alerts import MOST, REASONS, Reasons, read

log = logging.getLogger(__name__)
_few = Few(log, logging.WARNING, "batches", most=1, seconds=3600)

_encode = msgspec.json.Encoder().encode


def add(
    documents: Collection,
    reasons: set[str],
    old_until: int,
    options: Mapping[str, Any],
) -> Reasons:
    """List these reasons too, as far as there is room; several may do so at once. What the
    document has then; `old_until` is for one that is not there yet."""
    while True:
        try:
            found = documents.get(REASONS)
        except DocumentNotFoundException:
            found = None
        before = Reasons(old_until=old_until) if found is None else read(found.value)
        after = replace(before, reasons=_joined(before.reasons, reasons))
        with suppress(
            CasMismatchException, DocumentExistsException, DocumentNotFoundException
        ):  # somebody else was quicker
            if found is None:
                documents.insert(REASONS, _encode(after), InsertOptions(**options))
            elif after != before:
                cas = ReplaceOptions(cas=found.cas, **options)
                documents.replace(REASONS, _encode(after), cas)
            return after


def _joined(before: list[str], reasons: set[str]) -> list[str]:
    after = [*before, *sorted(reasons.difference(before))]
    if len(after) > MOST and _few.room():
        line = "alerts have more than %d reasons: those of %s are kept, and not shown"
        log.warning(line, MOST, ", ".join(after[MOST:]))
    return after[:MOST]
