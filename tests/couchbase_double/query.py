"""The statements that the store sends to the query service, over the documents in memory."""

import heapq
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from tests.couchbase_double.collation import Rank, is_known, is_number, rank

T = TypeVar("T")

_NAME = r"`(?P<bucket>[^`]+)`"
_FIELDS = r"(?P<fields>b\.\w+(, b\.\w+)*)"
_CREATE = re.compile(rf"CREATE INDEX `(?P<index>\w+)` ON {_NAME} ?(?P<definition>\(.*)")
_NEWEST_FIRST = r"ORDER BY b\.created_at DESC, b\.order_id DESC LIMIT \$(?P<limit>\w+)"
_LATEST = re.compile(
    rf'SELECT {_FIELDS} FROM {_NAME} AS b WHERE b\.type = "(?P<type>order)" '
    rf"AND b\.created_at IS NOT MISSING {_NEWEST_FIRST}"
)
_KEYS = re.compile(
    rf'SELECT b\.created_at, b\.order_id FROM {_NAME} AS b WHERE b\.type = "(?P<type>\w+)"'
    r'(?P<status> AND b\.status = "DECLINED")?(?P<country> AND b\.country = \$country)?'
    r" AND b\.created_at <= \$at AND \(b\.created_at < \$at OR b\.order_id < \$id\) "
    r"AND b\.order_id BETWEEN 0 AND 9007199254740991 "
    rf"{_NEWEST_FIRST}"
)
_BY_ID = re.compile(
    rf'SELECT {_FIELDS} FROM {_NAME} AS b WHERE b\.type = "(?P<type>[\w-]+)" '
    r"AND b\.order_id > \$after "
    r"ORDER BY b\.order_id LIMIT \$(?P<limit>\w+)"
)
_TOTALS = re.compile(
    r"SELECT b\.type, b\.country, b\.status, COUNT\(\*\) AS documents, "
    rf"SUM\(b\.amount\) AS amount FROM {_NAME} AS b "
    r'WHERE b\.type IN \["order", "alert", "payment"\] '
    r"GROUP BY b\.type, b\.country, b\.status"
)
_ACTIVITY = re.compile(
    r"SELECT b\.type, FLOOR\(b\.kafka_timestamp / 10000\) AS span, COUNT\(\*\) AS documents "
    rf'FROM {_NAME} AS b WHERE b\.type IN \["order", "alert"\] '
    r"AND b\.kafka_timestamp >= \$since GROUP BY b\.type, FLOOR\(b\.kafka_timestamp / 10000\)"
)

_BY_TIME = '(created_at DESC, order_id DESC) WHERE type = "{}"'
_BY_TIME_DECLINED = _BY_TIME.format("payment") + ' AND status = "DECLINED"'
_BY_COUNTRY = '(country, created_at DESC, order_id DESC) WHERE type = "order"'
_DEFINITIONS = {
    *map(_BY_TIME.format, ("order", "alert")),
    _BY_TIME_DECLINED,
    _BY_COUNTRY,
    "(type, order_id)",
    "(type, country, status, amount)",
    "(type, kafka_timestamp)",
}


class QueryError(Exception):
    """An answer of the query service with a code, a text and an HTTP status."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.status = code, status


class _Key(msgspec.Struct):
    type: Any = msgspec.UNSET
    created_at: Any = msgspec.UNSET
    order_id: Any = msgspec.UNSET
    country: Any = msgspec.UNSET
    status: Any = msgspec.UNSET
    amount: Any = msgspec.UNSET
    kafka_timestamp: Any = msgspec.UNSET

    @property
    def place(self) -> tuple[Rank, Rank]:
        return rank(self.created_at), rank(self.order_id)


_decode_key = msgspec.json.Decoder(_Key).decode


class Queries:
    """The query service of one bucket; knows which indexes were made."""

    def __init__(self, bucket: str, documents: dict[bytes, bytes]) -> None:
        self._bucket = bucket
        self._documents = documents
        self.indexes: dict[str, str] = {}  # name -> definition
        self._statements = {
            _CREATE: self._create,
            _LATEST: self._latest,
            _KEYS: self._keys,
            _BY_ID: self._by_id,
            _TOTALS: self._totals,
            _ACTIVITY: self._activity,
        }

    def answer(self, request: dict[str, Any]) -> list[bytes]:
        """The rows, as JSON, of `request` (the body of POST /query/service)."""
        statement = str(request.get("statement", "")).strip().rstrip(";")
        for form, answer in self._statements.items():
            if match := form.fullmatch(statement):
                if match["bucket"] != self._bucket:
                    text = f"Keyspace not found in CB datastore: default:{match['bucket']}"
                    raise QueryError(12003, text, 404)
                return answer(match, request)
        raise QueryError(3000, f"syntax error - the double does not know: {statement}")

    def _create(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        if match["definition"] not in _DEFINITIONS:
            text = f"syntax error - the double knows no index {match['definition']}"
            raise QueryError(3000, text)
        if match["index"] in self.indexes:
            text = f"The index {match['index']} already exists."
            raise QueryError(4300, text, 409)
        self.indexes[match["index"]] = match["definition"]
        return []

    def _need(self, definition: str) -> None:
        if definition not in self.indexes.values():
            raise QueryError(
                4000, "No index available on keyspace that matches your query.", 404
            )

    def _all(self, *types: str) -> Iterator[tuple[_Key, bytes]]:
        for value in self._documents.values():
            key = _decode_key(value)
            if key.type in types:
                yield key, value

    def _latest(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        self._need(_BY_TIME.format(match["type"]))
        limit = _value(request, match["limit"], int)
        found = [
            (*key.place, value)
            for key, value in self._all(match["type"])
            if key.created_at is not msgspec.UNSET
        ]
        return [_only(match["fields"], row) for _, _, row in heapq.nlargest(limit, found)]

    def _keys(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        if match["status"]:
            self._need(_BY_TIME_DECLINED)
        else:
            self._need(_BY_COUNTRY if match["country"] else _BY_TIME.format(match["type"]))
        before = rank(_value(request, "at", str)), rank(_value(request, "id", int))
        country = _value(request, "country", str) if match["country"] else None
        found = (
            key
            for key, _ in self._all(match["type"])
            if is_known(key.created_at)
            and key.place < before
            and rank(0) <= rank(key.order_id) <= rank(2**53 - 1)
            and country in (None, key.country)
            and (not match["status"] or key.status == "DECLINED")
        )
        limit = _value(request, match["limit"], int)
        keys = heapq.nlargest(limit, found, key=lambda key: key.place)
        return [_row(created_at=key.created_at, order_id=key.order_id) for key in keys]

    def _by_id(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        self._need("(type, order_id)")
        after = rank(_value(request, "after", int))
        found = [
            (rank(key.order_id), value)
            for key, value in self._all(match["type"])
            if is_known(key.order_id) and rank(key.order_id) > after
        ]
        limit = _value(request, match["limit"], int)
        return [_only(match["fields"], row) for _, row in heapq.nsmallest(limit, found)]

    def _totals(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        self._need("(type, country, status, amount)")
        groups: dict[bytes, list[_Key]] = {}
        for key, _ in self._all("order", "alert", "payment"):
            # What is missing in the documents is missing in the row.
            group = _row(type=key.type, country=key.country, status=key.status)
            groups.setdefault(group, []).append(key)
        return [
            _row(**msgspec.json.decode(group), documents=len(keys), amount=_sum(keys))
            for group, keys in groups.items()
        ]

    def _activity(self, match: re.Match[str], request: dict[str, Any]) -> list[bytes]:
        self._need("(type, kafka_timestamp)")
        since = rank(_value(request, "since", int))
        counts = Counter(
            (key.type, _span(key.kafka_timestamp))
            for key, _ in self._all("order", "alert")
            if is_known(key.kafka_timestamp) and rank(key.kafka_timestamp) >= since
        )
        return [_row(type=t, span=span, documents=n) for (t, span), n in counts.items()]


def _sum(keys: list[_Key]) -> float | None:
    amounts = [key.amount for key in keys if is_number(key.amount)]
    return sum(amounts) if amounts else None


def _span(timestamp: Any) -> int | None:
    return int(timestamp // 10_000) if is_number(timestamp) else None


def _only(fields: str, document: bytes) -> bytes:
    found: dict[str, msgspec.Raw] = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    names = fields.replace("b.", "").split(", ")
    return msgspec.json.encode({name: found[name] for name in names if name in found})


def _row(**values: Any) -> bytes:
    return msgspec.json.encode({n: v for n, v in values.items() if v is not msgspec.UNSET})


def _value(request: dict[str, Any], name: str, kind: type[T]) -> T:
    value = request.get("$" + name)
    if not isinstance(value, kind):
        raise QueryError(5010, f"No value for named parameter: ${name}", 500)
    return value
