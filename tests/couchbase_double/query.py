"""The statements that the store sends to the query service, over the documents in memory."""

import heapq
import re
from typing import Any

import msgspec

_NAME = r"`(?P<bucket>[^`]+)`"
_CREATE = re.compile(
    rf"CREATE INDEX `(?P<index>\w+)` ON {_NAME} ?"
    r'\(created_at DESC, order_id DESC\) WHERE type = "order"'
)
_LATEST = re.compile(
    rf'SELECT b\.\* FROM {_NAME} AS b WHERE b\.type = "(?P<type>\w+)" '
    r"AND b\.created_at IS NOT MISSING "
    r"ORDER BY b\.created_at DESC, b\.order_id DESC LIMIT \$(?P<limit>\w+)"
)


class QueryError(Exception):
    """An answer of the query service with a code, a text and an HTTP status."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.status = code, status


class _Key(msgspec.Struct):
    type: str = ""
    created_at: str | None = None
    order_id: int = 0


_decode_key = msgspec.json.Decoder(_Key).decode


class Queries:
    """The query service of one bucket; knows which indexes were made."""

    def __init__(self, bucket: str, documents: dict[bytes, bytes]) -> None:
        self._bucket = bucket
        self._documents = documents
        self.indexes: set[str] = set()

    def answer(self, request: dict[str, Any]) -> list[bytes]:
        """The rows, as JSON, of `request` (the body of POST /query/service)."""
        statement = str(request.get("statement", "")).strip().rstrip(";")
        if match := _CREATE.fullmatch(statement):
            return self._create(match)
        if match := _LATEST.fullmatch(statement):
            return self._latest(match, request)
        raise QueryError(3000, f"syntax error - the double does not know: {statement}")

    def _check_bucket(self, name: str) -> None:
        if name != self._bucket:
            raise QueryError(12003, f"Keyspace not found in CB datastore: default:{name}", 404)

    def _create(self, match: re.Match[str]) -> list[bytes]:
        self._check_bucket(match["bucket"])
        if match["index"] in self.indexes:
            text = f"The index {match['index']} already exists."
            raise QueryError(4300, text, 409)
        self.indexes.add(match["index"])
        return []

    def _latest(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        self._check_bucket(match["bucket"])
        if not self.indexes:
            raise QueryError(
                4000, "No index available on keyspace that matches your query.", 404
            )
        limit = request.get("$" + match["limit"])
        if not isinstance(limit, int):
            raise QueryError(5010, f"No value for named parameter: ${match['limit']}", 500)
        found = (
            (key.created_at, key.order_id, value)
            for value in self._documents.values()
            if (key := _decode_key(value)).type == match["type"] and key.created_at is not None
        )
        return [value for _, _, value in heapq.nlargest(limit, found)]
