"""The statements that write to the tables of the SQLite store.

Nearly every document is new, so a batch is first simply inserted. If that makes fewer rows than
there are documents, it is rolled back and repeated with a look at what was stored before: the
totals stay right when Kafka delivers twice.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from orderapp.store.documents import Document
from orderapp.store.sqlite import read
from orderapp.store.sqlite.counts import Changes
from orderapp.store.sqlite.schema import KEYS, TABLES, transaction

# One statement for 76 rows costs half as much as one for each row (`executemany`), and stays
# below the 999 parameters that an old SQLite allows.
ROWS = 76


def _insert(kind: type[Document], rows: int, on_conflict: str) -> str:
    columns = kind.__struct_fields__
    row = f"({', '.join('?' * len(columns))})"
    return (
        f"INSERT INTO {TABLES[kind]} ({', '.join(columns)}) "  # noqa: S608 - our own names
        f"VALUES {', '.join([row] * rows)} ON CONFLICT ({KEYS[kind]}) DO {on_conflict}"
    )


def _replace(kind: type[Document], rows: int) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in kind.__struct_fields__[1:])
    return _insert(kind, rows, f"UPDATE SET {changes}")


# By type: a statement for `ROWS` documents and one for one.
_INSERT = {k: (_insert(k, ROWS, "NOTHING"), _insert(k, 1, "NOTHING")) for k in TABLES}
_REPLACE = {k: (_replace(k, ROWS), _replace(k, 1)) for k in TABLES}


class _StoredBeforeError(Exception):
    """Not all documents are new."""


def write(connection: sqlite3.Connection, batches: Iterable[Sequence[Document]]) -> None:
    """Write batches in one transaction; documents of one type and order keep their sequence."""
    by_type: dict[type[Document], list[Document]] = {kind: [] for kind in TABLES}
    for document in chain.from_iterable(batches):
        by_type[type(document)].append(document)
    for documents in by_type.values():
        # A page of the table is then written to once, and mostly the last one, although the
        # batches are those of partitions side by side: it saves a third.
        documents.sort(key=attrgetter("order_id"))
    try:
        with transaction(connection):
            _write_new(connection, by_type)
    except _StoredBeforeError:
        with transaction(connection):
            _write_any(connection, by_type)


def _write_new(
    connection: sqlite3.Connection, by_type: dict[type[Document], list[Document]]
) -> None:
    changes = Changes()
    for kind, documents in by_type.items():
        for written, count in _execute(connection, _INSERT[kind], documents):
            if written < count:
                raise _StoredBeforeError
        changes.count(kind, documents)
    changes.write(connection)


def _write_any(
    connection: sqlite3.Connection, by_type: dict[type[Document], list[Document]]
) -> None:
    changes = Changes()
    for kind, documents in by_type.items():
        ids = list({document.order_id: None for document in documents})
        stored = {found.id: found for found in documents_of(connection, kind, ids)}
        latest = _latest(documents, stored)
        changes.count(kind, [stored[n.id] for n in latest if n.id in stored], -1)
        changes.count(kind, latest)
        for _ in _execute(connection, _REPLACE[kind], latest):
            pass
    changes.write(connection)


def _latest(documents: list[Document], stored: dict[str, Document]) -> list[Document]:
    """What replaces what is stored: the last one of each id, unless it is older."""
    last: dict[str, Document] = {}
    for new in documents:
        before = stored.get(new.id)
        if not _is_older(new, before):
            last[new.id] = new.after(last.get(new.id, before))
    return list(last.values())


def _is_older(new: Any, stored: Any) -> bool:
    # A worker that was held up while its partition went to another may still write what it has
    # after the other has written the newer record. (A topic that was deleted and created again
    # has lower offsets and later times.)
    return bool(
        stored
        and stored.kafka_partition == new.kafka_partition
        and stored.kafka_offset > new.kafka_offset
        and stored.kafka_timestamp >= new.kafka_timestamp
    )


def _execute(
    connection: sqlite3.Connection, statements: tuple[str, str], documents: list[Document]
) -> Iterator[tuple[int, int]]:
    """Write documents; yields how many rows were written, and of how many documents."""
    full = len(documents) - len(documents) % ROWS
    for start in range(0, full, ROWS):
        rows = map(astuple, documents[start : start + ROWS])
        yield connection.execute(statements[0], list(chain.from_iterable(rows))).rowcount, ROWS
    if full < len(documents):
        rows = map(astuple, documents[full:])
        yield connection.executemany(statements[1], rows).rowcount, len(documents) - full


def documents_of(
    connection: sqlite3.Connection, kind: type[Document], ids: list[int]
) -> list[Document]:
    """The documents of a type that these orders have."""
    found: list[Document] = []
    for start in range(0, len(ids), ROWS):
        part = ids[start : start + ROWS]
        places = ", ".join("?" * len(part))
        found += read.documents(connection, kind, f"WHERE order_id IN ({places})", part)
    return found
