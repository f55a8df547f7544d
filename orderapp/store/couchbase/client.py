"""The blocking side of the Couchbase store: all that touches the SDK.

Methods are called in threads, several at a time (the SDK allows it), and raise `StoreError`.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import msgspec
from couchbase.auth import PasswordAuthenticator
from couchbase.cluster import Cluster
from couchbase.constants import FMT_JSON
from couchbase.exceptions import (
    CouchbaseException,
    DocumentNotFoundException,
    QueryIndexAlreadyExistsException,
    QueryIndexNotFoundException,
)
from couchbase.n1ql import QueryScanConsistency
from couchbase.options import (
    ClusterOptions,
    ClusterTimeoutOptions,
    ClusterTracingOptions,
    QueryOptions,
)

from orderapp.store import StoreError, StoreRejected, StoreUnavailable
from orderapp.store.couchbase.errors import translated, worst
from orderapp.store.couchbase.statements import LATEST, Statement, create
from orderapp.store.documents import DeadLetterDocument, Document

log = logging.getLogger(__name__)

# Seconds, for the SDK.
CONNECT_LIMIT = 4.0
KV_LIMIT = 10.0
BEFORE_LIMIT = 2.0
INDEX_LIMIT = 1.7

_encode = msgspec.json.Encoder().encode
_decode_dead_letter = msgspec.json.Decoder(DeadLetterDocument).decode


class _RawJSON:
    """A transcoder for bytes that are JSON already, and that a query reads as documents."""

    def encode_value(self, value: bytes) -> tuple[bytes, int]:
        return value, FMT_JSON

    def decode_value(self, value: bytes, flags: int) -> bytes:
        return value


def connect(
    connection_string: str, username: str, password: str, bucket: str, *, index: bool = True
) -> "Client":
    """Connect and open the bucket: only that shows whether there is one.

    `index`: create the first one, as writers do for those who will read."""
    options = ClusterOptions(
        PasswordAuthenticator(username, password),
        timeout_options=ClusterTimeoutOptions(
            bootstrap_timeout=timedelta(seconds=CONNECT_LIMIT),
            connect_timeout=timedelta(seconds=CONNECT_LIMIT / 2),
            kv_timeout=timedelta(seconds=KV_LIMIT),
        ),
        # A span and a metric for each document cost more than its upsert.
        tracing_options=ClusterTracingOptions(enable_tracing=False),
        enable_metrics=False,
        enable_mutation_tokens=False,
        transcoder=_RawJSON(),
    )
    where = f"{connection_string} bucket {bucket}"
    with _translating(where):
        # A failed connect is sticky: every attempt has a cluster object of its own.
        cluster = Cluster(connection_string, options)
        try:
            client = Client(cluster, bucket, where)
        except BaseException:
            cluster.close()
            raise
    if index:
        client.try_index()
    return client


class Client:
    """A connected cluster with one open bucket."""

    def __init__(self, cluster: Cluster, bucket: str, where: str) -> None:
        self._cluster = cluster
        self._bucket = bucket
        self.where = where
        self._documents = cluster.bucket(bucket).default_collection()
        self._indexes: set[str] = set()  # that are known to be there

    def close(self) -> None:
        """Disconnect."""
        with _translating(self.where):
            self._cluster.close()

    def upsert(self, documents: Sequence[Document]) -> None:
        """Write all documents; `upsert_multi` reports errors instead of raising them."""
        with _translating(self.where):
            latest = self._stored_letters(documents)
            for document in documents:
                key = document.id
                latest[key] = document.after(latest.get(key))
            values = {key: _encode(document) for key, document in latest.items()}
            result = self._documents.upsert_multi(values)
            if not result.all_ok:
                raise worst(result.exceptions.values())

    def _stored_letters(self, documents: Sequence[Document]) -> dict[str, Document]:
        """The dead letters that are replaced by these documents; there are few."""
        ids = [d.id for d in documents if isinstance(d, DeadLetterDocument)]
        found: dict[str, Document] = {}
        for key, value in self.get(ids, BEFORE_LIMIT).items():
            with suppress(msgspec.MsgspecError):  # another program's
                found[key] = _decode_dead_letter(value)
        return found

    def ask(
        self,
        statement: Statement,
        values: dict[str, Any],
        end: float,
        *,
        exact: bool = False,
    ) -> list[Any]:
        """The rows of a statement, with time left until `end` for a get.

        `exact`: with all that was written before, for which the server may wait."""
        if statement.needs not in self._indexes:
            self._create_index(statement.needs, (end - time.monotonic()) / 2)
        limit = (end - time.monotonic()) * 0.7
        options = QueryOptions(named_parameters=values)
        if exact:
            options["scan_consistency"] = QueryScanConsistency.REQUEST_PLUS
        return self._query(statement.text, limit, options)

    def get(self, ids: Sequence[str], limit: float) -> dict[str, bytes]:
        """Those of these documents that there are."""
        if not ids:
            return {}
        with _translating(self.where):
            result = self._documents.get_multi(
                list(ids), timeout=timedelta(seconds=max(limit, 0.1))
            )
            for error in result.exceptions.values():
                if not isinstance(error, DocumentNotFoundException):
                    raise error
            return {key: found.value for key, found in result.results.items()}

    def try_index(self) -> None:
        """Create the first index; it may come later, since orders can be written without."""
        try:
            self._create_index(LATEST.needs, INDEX_LIMIT)
        except StoreError as error:
            log.warning("No index for the latest orders yet: %s", error)

    def _create_index(self, index: str, limit: float) -> None:
        try:
            self._query(create(index), limit, QueryOptions())
        except StoreError as error:
            if not isinstance(error.__cause__, QueryIndexAlreadyExistsException):
                raise
        self._indexes.add(index)

    def _query(self, statement: str, limit: float, options: QueryOptions) -> list[Any]:
        options["timeout"] = timedelta(seconds=max(limit, 0.1))
        with _translating(self.where):
            try:
                return list(self._cluster.query(statement.format(self._bucket), options).rows())
            except QueryIndexNotFoundException:
                self._indexes.clear()  # somebody dropped it: the next read makes it again
                raise


@contextmanager
def _translating(where: str) -> Iterator[None]:
    try:
        yield
    except CouchbaseException as error:
        raise translated(error, where) from error
    except RuntimeError as error:  # the SDK's for a cluster that was closed meanwhile
        raise StoreUnavailable(f"{where}: {error}") from error
    except (msgspec.MsgspecError, OverflowError, UnicodeError) as error:
        raise StoreRejected(f"{where}: {error}") from error
