"""A connected bucket: writes, gets by id, and queries.

Methods are called in threads, several at a time (the SDK allows it), and raise `StoreError`.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
from couchbase.cluster import Cluster
from couchbase.exceptions import DocumentNotFoundException
from couchbase.n1ql import QueryScanConsistency
from couchbase.options import QueryOptions

from orderapp.couchbase_settings import Couchbase
from orderapp.store import Reservation, StoreError
from orderapp.store.couchbase import alerts, reasons, reservations
from orderapp.store.couchbase.durability import check, write_options
from orderapp.store.couchbase.errors import translating, worst
from orderapp.store.couchbase.indexes import Indexes
from orderapp.store.couchbase.keyspace import keyspace
from orderapp.store.couchbase.statements import ORDERS, Statement, keys
from orderapp.store.documents import AlertDocument, DeadLetterDocument, Document, Finding
from orderapp.store.queries import OrderQuery

log = logging.getLogger(__name__)

# Seconds, for the SDK.
BEFORE_LIMIT = 2.0
INDEX_LIMIT = 1.7
# Seconds by which the clocks of those who send records may be ahead.
CLOCKS = 300.0

_encode = msgspec.json.Encoder().encode
_decode_dead_letter = msgspec.json.Decoder(DeadLetterDocument).decode


class Client:
    """A connected cluster with one open bucket."""

    def __init__(self, cluster: Cluster, couchbase: Couchbase, where: str) -> None:
        self._cluster = cluster
        self._keyspace = keyspace(couchbase)
        self.where = where
        scope = cluster.bucket(couchbase.bucket).scope(couchbase.scope)
        self._documents = scope.collection(couchbase.collection)
        self._durability = couchbase.durability
        #: The options of every write.
        self.write_options = write_options(couchbase.durability)
        days = couchbase.expiry_days
        self._expiry = {} if days is None else {"expiry": timedelta(days=days)}
        #: Those of alerts and of what was found in the shadow, as far as this process has read.
        self.reasons: tuple[str, ...] = ()
        place = (couchbase.bucket, couchbase.scope, couchbase.collection)
        self._indexes = Indexes(self._query, place, where)

    def close(self) -> None:
        """Disconnect."""
        with translating(self.where):
            self._cluster.close()

    def upsert(self, documents: Sequence[Document]) -> None:
        """Write all documents; `upsert_multi` reports errors instead of raising them."""
        with translating(self.where):
            latest = self._stored_dead_letters(documents)
            replaced = self._before_alerts(documents)
            for document in documents:
                key = document.id
                key = replaced.get(key, key)
                latest[key] = document.after(latest.get(key))
            values = {key: _encode(document) for key, document in latest.items()}
            options = {**self.write_options, **self._expiry}
            result = self._documents.upsert_multi(values, **options)
            if not result.all_ok:
                raise worst(result.exceptions.values())

    def reserve(self, wanted: Reservation) -> Reservation:
        with translating(self.where):
            return reservations.reserve(self._documents, wanted, self.write_options)

    def replace_reservation(self, before: Reservation, after: Reservation) -> bool:
        with translating(self.where):
            options = self.write_options
            return reservations.replace_reservation(self._documents, before, after, options)

    def _stored_dead_letters(self, documents: Sequence[Document]) -> dict[str, Document]:
        """The dead letters that these documents replace; there are few."""
        ids = [d.id for d in documents if isinstance(d, DeadLetterDocument)]
        found: dict[str, Document] = {}
        for key, value in self.get(ids, BEFORE_LIMIT).items():
            with suppress(msgspec.MsgspecError):  # another program's
                found[key] = _decode_dead_letter(value)
        return found

    def _before_alerts(self, documents: Sequence[Document]) -> dict[str, str]:
        """List the reasons of what rules have found. See `alerts.replaced`."""
        wanted = {d.reason for d in documents if isinstance(d, Finding)}
        if not wanted:
            return {}
        found = self.get([alerts.REASONS], BEFORE_LIMIT)
        known = alerts.read(found.get(alerts.REASONS))
        if not wanted.issubset(known.reasons):
            old_until = int((time.time() + CLOCKS) * 1000)
            known = reasons.add(self._documents, wanted, old_until, self.write_options)
        new = [d for d in documents if isinstance(d, AlertDocument)]
        old = {
            alerts.old_id(alert.order_id)
            for alert in new
            if alert.kafka_timestamp <= known.old_until
        }
        return alerts.replaced(new, self.get([*old], BEFORE_LIMIT))

    def ask(
        self,
        statement: Statement,
        values: dict[str, Any],
        end: float,
        *,
        exact: bool = False,
    ) -> list[Any]:
        """The rows of a statement; some of the time until `end` is left for a get.

        `exact`: with everything written before, for which the server may wait."""
        self._indexes.require(statement.needs, (end - time.monotonic()) / 2)
        limit = (end - time.monotonic()) * 0.7
        try:
            return self._query(statement.text, values, limit, exact=exact)
        except StoreError:
            self._indexes.forget()  # it may be one of them
            raise

    def get(self, ids: Sequence[str], limit: float) -> dict[str, bytes]:
        """Those of these documents that exist."""
        if not ids:
            return {}
        with translating(self.where):
            result = self._documents.get_multi(
                list(ids), timeout=timedelta(seconds=max(limit, 0.1))
            )
            for error in result.exceptions.values():
                if not isinstance(error, DocumentNotFoundException):
                    raise error
            return {key: found.value for key, found in result.results.items()}

    def check_durability(self) -> None:
        """Raise `StoreRejected` when the bucket can't make writes that durable."""
        check(self._documents, self._durability, self.where)

    def try_index(self) -> None:
        """Create the first index, or warn: orders can be written without it."""
        try:
            self._indexes.require(ORDERS.needs, INDEX_LIMIT)
        except StoreError as error:
            log.warning("No index for the latest orders yet: %s", error)
            return
        with suppress(StoreError):  # then alerts of an earlier version are looked for
            self._note_new()

    def _note_new(self) -> None:
        """Say of a collection without orders that it has no alerts of an earlier version."""
        if self.get([alerts.REASONS], BEFORE_LIMIT):
            return
        statement, values = keys(OrderQuery())
        end = time.monotonic() + BEFORE_LIMIT
        if not self.ask(statement, {**values, "count": 1}, end, exact=True):
            with translating(self.where):
                reasons.add(self._documents, set(), -1, self.write_options)

    def _query(
        self, statement: str, values: dict[str, Any], limit: float, *, exact: bool = False
    ) -> list[Any]:
        options = QueryOptions(
            named_parameters=values, timeout=timedelta(seconds=max(limit, 0.1))
        )
        if exact:
            options["scan_consistency"] = QueryScanConsistency.REQUEST_PLUS
        with translating(self.where):
            text = statement.format(self._keyspace)
            return list(self._cluster.query(text, options).rows())
