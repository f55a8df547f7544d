"""The blocking side of the Couchbase store: all that touches the SDK.

Methods are called in threads, several at a time (the SDK allows it), and raise `StoreError`.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from couchbase.options import (
    ClusterOptions,
    ClusterTimeoutOptions,
    ClusterTracingOptions,
    QueryOptions,
)

from orderapp.store import OrderStory, StoreError, StoreRejected, StoreUnavailable
from orderapp.store.couchbase_errors import translated, worst
from orderapp.store.documents import AlertDocument, Document, OrderDocument, PaymentDocument

log = logging.getLogger(__name__)

# Seconds, for the SDK. A read is at most one query and one get.
CONNECT_LIMIT = 4.0
KV_LIMIT = 10.0
READ_LIMIT = 1.7

_CREATE_INDEX = (
    "CREATE INDEX `orderapp_orders_by_time` ON `{}` (created_at DESC, order_id DESC) "
    'WHERE type = "order"'
)
# The type is no parameter, since an index with a WHERE serves only a query that repeats it.
_LATEST = (
    'SELECT b.* FROM `{}` AS b WHERE b.type = "order" AND b.created_at IS NOT MISSING '
    "ORDER BY b.created_at DESC, b.order_id DESC LIMIT $count"
)

_encode = msgspec.json.Encoder().encode
_decode_order = msgspec.json.Decoder(OrderDocument).decode
_decode_alert = msgspec.json.Decoder(AlertDocument).decode
_decode_payment = msgspec.json.Decoder(PaymentDocument).decode


class _RawJSON:
    """A transcoder for bytes that are JSON already, and that a query reads as documents."""

    def encode_value(self, value: bytes) -> tuple[bytes, int]:
        return value, FMT_JSON

    def decode_value(self, value: bytes, flags: int) -> bytes:
        return value


def connect(connection_string: str, username: str, password: str, bucket: str) -> "Client":
    """Connect and open the bucket: only that shows whether there is one."""
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
    client.try_index()
    return client


class Client:
    """A connected cluster with one open bucket."""

    def __init__(self, cluster: Cluster, bucket: str, where: str) -> None:
        self._cluster = cluster
        self._bucket = bucket
        self._where = where
        self._documents = cluster.bucket(bucket).default_collection()
        self._has_index = False

    def close(self) -> None:
        """Disconnect."""
        with _translating(self._where):
            self._cluster.close()

    def upsert(self, documents: Sequence[Document]) -> None:
        """Write all documents; `upsert_multi` reports errors instead of raising them."""
        with _translating(self._where):
            values = {document.id: _encode(document) for document in documents}
            result = self._documents.upsert_multi(values)
            if not result.all_ok:
                raise worst(result.exceptions.values())

    def story(self, order_id: int) -> OrderStory | None:
        """The order and what belongs to it, in one round trip."""
        key = str(order_id)
        found = self._get([key, f"alert::{key}", f"payment::{key}"], READ_LIMIT)
        with _translating(self._where):
            return _to_story(_decode_order(found[key]), found) if key in found else None

    def latest(self, limit: int) -> list[OrderStory]:
        """The newest orders: a query for them, then a get for what belongs to them."""
        end = time.monotonic() + READ_LIMIT
        if not self._has_index:
            self._create_index(READ_LIMIT / 2)
        rows = self._query(_LATEST, (end - time.monotonic()) * 0.7, count=max(limit, 0))
        orders = list(_orders(rows))
        ids = [f"{kind}::{o.order_id}" for o in orders for kind in ("alert", "payment")]
        found = self._get(ids, end - time.monotonic()) if ids else {}
        with _translating(self._where):
            return [_to_story(order, found) for order in orders]

    def try_index(self) -> None:
        """Create the index; without it orders can be written, so that it may come later."""
        try:
            self._create_index(READ_LIMIT)
        except StoreError as error:
            log.warning("No index for the latest orders yet: %s", error)

    def _create_index(self, limit: float) -> None:
        # Not IF NOT EXISTS, which servers before 7.1 do not know.
        try:
            self._query(_CREATE_INDEX, limit)
        except StoreError as error:
            if not isinstance(error.__cause__, QueryIndexAlreadyExistsException):
                raise
        self._has_index = True

    def _query(self, statement: str, limit: float, **parameters: Any) -> list[Any]:
        options = QueryOptions(timeout=timedelta(seconds=limit), named_parameters=parameters)
        with _translating(self._where):
            try:
                return list(self._cluster.query(statement.format(self._bucket), options).rows())
            except QueryIndexNotFoundException:
                self._has_index = False  # somebody dropped it: the next read makes it again
                raise

    def _get(self, ids: list[str], limit: float) -> dict[str, bytes]:
        with _translating(self._where):
            result = self._documents.get_multi(ids, timeout=timedelta(seconds=max(limit, 0.1)))
            for error in result.exceptions.values():
                if not isinstance(error, DocumentNotFoundException):
                    raise error
            return {key: found.value for key, found in result.results.items()}


def _to_story(order: OrderDocument, found: dict[str, bytes]) -> OrderStory:
    alert = found.get(f"alert::{order.order_id}")
    payment = found.get(f"payment::{order.order_id}")
    return OrderStory(
        order=order,
        alerts=[] if alert is None else [_decode_alert(alert)],
        payment=None if payment is None else _decode_payment(payment),
    )


def _orders(rows: list[Any]) -> Iterator[OrderDocument]:
    for row in rows:
        try:
            yield msgspec.convert(row, OrderDocument)
        except msgspec.ValidationError as error:
            # The bucket may hold somebody else's orders too; they must not end the dashboard.
            log.warning("Left out an order that is not ours: %s", error)


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
