"""Whether the indexes that the statements need are there, and how they come to be.

Without its own index a statement is still answered as soon as any other index begins with
`type`: by reading every document. So no statement is sent before a look at the catalog has
shown that its index is online. An index that exists needs no right to create it.
"""

import time
from collections.abc import Callable
from typing import Any

from couchbase.exceptions import (
    AmbiguousTimeoutException,
    QueryIndexAlreadyExistsException,
    UnAmbiguousTimeoutException,
)

from orderapp.store import StoreError, StoreRejected, StoreUnavailable
from orderapp.store.couchbase.statements import INDEXES, STATES, build, create

#: Asks a statement with parameters, within so many seconds.
Query = Callable[[str, dict[str, Any], float], list[Any]]

#: Seconds for which a look is good.
TRUST = 30.0
#: Copies of an index beside the first, where the cluster has the nodes.
REPLICAS = 1
#: Errors of a creation that goes on, here or in another process.
_GOES_ON = (
    AmbiguousTimeoutException,
    QueryIndexAlreadyExistsException,
    UnAmbiguousTimeoutException,
)


class Indexes:
    """The indexes of one keyspace (bucket, scope, collection)."""

    def __init__(self, query: Query, keyspace: tuple[str, str, str], where: str) -> None:
        self._query, self._keyspace, self._where = query, keyspace, where
        #: Until when each one counts as online (`time.monotonic`).
        self._online: dict[str, float] = {}

    def forget(self) -> None:
        """Look again before the next statement."""
        self._online = {}

    def require(self, index: str, limit: float) -> None:
        """Return when it is online; else create it, or raise what it waits for. `limit`: s."""
        if self._online.get(index, 0.0) > time.monotonic():
            return
        end = time.monotonic() + limit
        state = self._look(limit / 2).get(index)
        if state == "online":
            return
        if state is None:
            self._create(index, end - time.monotonic())
            self._online[index] = time.monotonic() + TRUST
            return
        if state == "deferred":
            self._query(build(index), {}, end - time.monotonic())
        raise self._is_being_built(index, state)

    def _look(self, limit: float) -> dict[str, str]:
        """The state of each index that there is."""
        rows = self._query(STATES, {"names": list(INDEXES)}, limit)
        found: dict[str, str] = {}
        for row in rows:
            # Of copies it is enough that one is online.
            if _keyspace_of(row) == self._keyspace and found.get(row["name"]) != "online":
                found[row["name"]] = row["state"]
        until = time.monotonic() + TRUST
        self._online = {name: until for name, state in found.items() if state == "online"}
        return found

    def _create(self, index: str, limit: float) -> None:
        end = time.monotonic() + limit
        try:
            try:
                self._query(create(index, REPLICAS), {}, limit)
            except StoreUnavailable as error:
                # Too few nodes, or Community Edition, which has no copies of indexes.
                if "replica" not in str(error).lower():
                    raise
                self._query(create(index), {}, end - time.monotonic())
        except StoreRejected as error:
            missing = f"index {index} is missing"
            raise StoreRejected(f"{error}; {missing}", public=missing) from error.__cause__
        except StoreError as error:
            # It goes on when nobody waits for it.
            if isinstance(error.__cause__, _GOES_ON):
                raise self._is_being_built(index, "creating") from error.__cause__
            raise

    def _is_being_built(self, index: str, state: str) -> StoreUnavailable:
        text = f"index {index} is being built"
        return StoreUnavailable(f"{self._where}: {text} ({state})", public=text)


def _keyspace_of(row: dict[str, Any]) -> tuple[str, str, str]:
    if row.get("bucket_id") is None:
        return row["keyspace_id"], "_default", "_default"
    return row["bucket_id"], row["scope_id"], row["keyspace_id"]
