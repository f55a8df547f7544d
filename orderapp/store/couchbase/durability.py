"""How safe a write is when it is acknowledged."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from couchbase.collection import Collection
from couchbase.durability import DurabilityLevel, ServerDurability
from couchbase.exceptions import (
    CouchbaseException,
    DocumentNotFoundException,
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
#: The document that says that durable writes were possible once.
MARK = "orderapp::durable-writes"
_MARK_VALUE = (
    b'{"text": "orderapp wrote this durably: when that is impossible, a node is away"}'
)
# Seconds, for the SDK.
_CHECK_LIMIT = 1.5


def write_options(level: str) -> dict[str, Any]:
    """What every write is given, of one document or of many; `level` as in the settings."""
    return {} if level == "none" else {"durability": ServerDurability(_LEVELS[level])}


def check(documents: Collection, level: str, where: str) -> None:
    """Raise `StoreRejected` when the bucket can't give this level.

    Servers look at the level before they look for the document: so a durable insert of one that
    exists shows it. They refuse in the same way while a replica is failed over, which passes:
    where the document is there it was possible before, and the writes wait for that. What else
    goes wrong is for them to find out too."""
    if level == "none":
        return
    options = {**write_options(level), "timeout": timedelta(seconds=_CHECK_LIMIT)}
    with suppress(CouchbaseException):
        try:
            documents.insert(MARK, _MARK_VALUE, **options)
        except tuple(_WAY_OUT) as error:
            if isinstance(error, DurabilityImpossibleException) and _was_possible(documents):
                return
            name = type(error).__name__.removesuffix("Exception")
            text = f"COUCHBASE_DURABILITY={level} is not possible ({name}): {_way_out(error)}"
            raise StoreRejected(f"{where}: {text}") from error


def _was_possible(documents: Collection) -> bool:
    try:
        documents.get(MARK, timeout=timedelta(seconds=_CHECK_LIMIT))
    except DocumentNotFoundException:
        return False
    return True


def _way_out(error: CouchbaseException) -> str:
    return next(text for kind, text in _WAY_OUT.items() if isinstance(error, kind))
