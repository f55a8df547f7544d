"""The documents as indexes see them: by type, with the fields that any index has."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

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

    __slots__ = ("known", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw, self.known = raw, _decode(raw)

    def __call__(self, name: str) -> Any:
        if name in _FIELDS:
            return getattr(self.known, name)
        return _decode_all(self.raw).get(name, msgspec.UNSET)

    def only(self, names: Iterable[str]) -> bytes:
        """Those fields, as they stand in the document."""
        found = _decode_raw(self.raw)
        return msgspec.json.encode({name: found[name] for name in names if name in found})


class Rows:
    """All documents by type, brought up to date when somebody asks."""

    def __init__(self, documents: Callable[[], dict[bytes, bytes]]) -> None:
        self._documents = documents
        self._types: dict[bytes, Any] = {}
        self._rows: dict[Any, dict[bytes, Row]] = {}
        self._changed: set[bytes] = set()
        self._is_new = True

    def note(self, key: bytes) -> None:
        """Take notice that a document was written or removed."""
        self._changed.add(key)

    def forget(self) -> None:
        """Read all documents again."""
        self._is_new = True

    def of(self, *types: Any) -> Iterator[Row]:
        """The rows of these types; of all types without any."""
        self._refresh()
        for kind in types or [*self._rows]:
            yield from self._rows.get(kind, {}).values()

    def _refresh(self) -> None:
        documents = self._documents()
        if self._is_new:
            self._types, self._rows, self._is_new = {}, {}, False
            self._changed = set(documents)
        for key in self._changed:
            if key in self._types:
                del self._rows[self._types.pop(key)][key]
            if key in documents:
                row = Row(documents[key])
                kind = row.known.type if isinstance(row.known.type, str) else None
                self._types[key] = kind
                self._rows.setdefault(kind, {})[key] = row
        self._changed.clear()
