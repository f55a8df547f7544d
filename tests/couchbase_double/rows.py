"""The documents as indexes see them: with the fields that any has, by their first keys."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tests.couchbase_double.sql import ID

_FIELDS = ("type", "created_at", "order_id", "country", "status", "amount", "kafka_timestamp")


class _Known(msgspec.Struct):
    type: Any = msgspec.UNSET
    created_at: Any = msgspec.UNSET
    order_id: Any = msgspec.UNSET
    country: Any = msgspec.UNSET
    status: Any = msgspec.UNSET
    amount: Any = msgspec.UNSET
    kafka_timestamp: Any = msgspec.UNSET


_decode = msgspec.json.Decoder(_Known).decode
_decode_all = msgspec.json.Decoder(dict[str, Any]).decode
_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Row:
    """One document; called with a field's name it gives its value."""

    __slots__ = ("kept", "key", "known", "raw")

    def __init__(self, key: bytes, raw: bytes) -> None:
        self.key, self.raw, self.known = key.decode(), raw, _decode(raw)
        #: What expressions are worth that are evaluated again and again.
        self.kept: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        if name in _FIELDS:
            return getattr(self.known, name)
        if name == ID[1]:
            return self.key
        return _decode_all(self.raw).get(name, msgspec.UNSET)

    def only(self, names: Iterable[str]) -> bytes:
        """Those fields, as they stand in the document."""
        found = _decode_raw(self.raw)
        return msgspec.json.encode({name: found[name] for name in names if name in found})


class Rows:
    """All documents, brought up to date when somebody asks."""

    def __init__(self, documents: Callable[[], dict[bytes, bytes]]) -> None:
        self._documents = documents
        self._rows: dict[bytes, Row] = {}
        #: By expression, and by its value if that is a text.
        self._groups: dict[str, _Groups] = {}
        self._changed: set[bytes] = set()
        self._is_new = True

    def note(self, key: bytes) -> None:
        """Take notice that a document was written or removed."""
        self._changed.add(key)

    def forget(self) -> None:
        """Read all documents again."""
        self._is_new = True

    def all(self) -> Iterable[Row]:
        """Every row."""
        self._refresh()
        return self._rows.values()

    def where(self, name: str, value_of: Callable[[Row], Any], wanted: str) -> Iterable[Row]:
        """The rows for which an expression with this name is a text."""
        self._refresh()
        if name not in self._groups:
            self._groups[name] = _Groups(value_of)
            for key, row in self._rows.items():
                self._groups[name].put(key, row)
        return self._groups[name].rows.get(wanted, {}).values()

    def _refresh(self) -> None:
        documents = self._documents()
        if self._is_new:
            self._rows, self._groups, self._is_new = {}, {}, False
            self._changed = set(documents)
        for key in self._changed:
            if old := self._rows.pop(key, None):
                for group in self._groups.values():
                    group.remove(key, old)
            if key in documents:
                self._rows[key] = row = Row(key, documents[key])
                for group in self._groups.values():
                    group.put(key, row)
        self._changed.clear()


class _Groups:
    def __init__(self, value_of: Callable[[Row], Any]) -> None:
        self._value_of = value_of
        self.rows: dict[str | None, dict[bytes, Row]] = {}

    def put(self, key: bytes, row: Row) -> None:
        self.rows.setdefault(self._name(row), {})[key] = row

    def remove(self, key: bytes, row: Row) -> None:
        del self.rows[self._name(row)][key]

    def _name(self, row: Row) -> str | None:
        value = self._value_of(row)
        return value if isinstance(value, str) else None
