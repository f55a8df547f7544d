"""How safe a write is when it is acknowledged."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from couchbase.collection import Collection
from couchbase.durability import DurabilityLevel, ServerDurability
from couchbase.exceptions import (
    CouchbaseException,
    DurabilityImpossibleException,
    DurabilityInvalidLevelException,
)

from orderapp.store import StoreRejected

_LEVELS = {
    "majority": DurabilityLevel.MAJORITY,
    "majorityAndPersistActive": DurabilityLevel.MAJORITY_AND_PERSIST_TO_ACTIVE,
    "persistToMajority": DurabilityLevel.PERSIST_TO_MAJORITY,
}
_WAY_OUT: dict[type[CouchbaseException], str] = {
    DurabilityImpossibleException: (
        "the bucket has more replicas than there are other data nodes, or more than 2; give it "
        "fewer replicas (on a single node 0) or the cluster more nodes, or set "
        "COUCHBASE_DURABILITY=none, which loses acknowledged orders when a node fails"
    ),
    DurabilityInvalidLevelException: (
        "an ephemeral bucket has no disk to persist to; set COUCHBASE_DURABILITY=majority"
    ),
}
#: No document has this id.
_NO_DOCUMENT = "orderapp::no-document"
# Seconds, for the SDK.
_CHECK_LIMIT = 1.5


def write_options(level: str) -> dict[str, Any]:
    """What every write is given, of one document or of many; `level` as in the settings."""
    return {} if level == "none" else {"durability": ServerDurability(_LEVELS[level])}


def check(documents: Collection, level: str, where: str) -> None:
    """Raise `StoreRejected` when the bucket can't give this level.

    Servers look at the level before they look for the document: so a durable removal of one
    that does not exist shows it, and changes nothing. What else goes wrong is for the writes
    to find out."""
    if level == "none":
        return
    options = {**write_options(level), "timeout": timedelta(seconds=_CHECK_LIMIT)}
    with suppress(CouchbaseException):
        try:
            documents.remove(_NO_DOCUMENT, **options)
        except tuple(_WAY_OUT) as error:
            name = type(error).__name__.removesuffix("Exception")
            text = f"COUCHBASE_DURABILITY={level} is not possible ({name}): {_way_out(error)}"
            raise StoreRejected(f"{where}: {text}") from error


def _way_out(error: CouchbaseException) -> str:
    return next(text for kind, text in _WAY_OUT.items() if isinstance(error, kind))
