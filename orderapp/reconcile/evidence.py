"""Everything that was read, in a temporary file: sorted by order id without holding it all."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

from orderapp.reconcile.case import DROPPED, Case, Fact
from orderapp.reconcile.dead_letters import Origin, action_for, done_with

#: Facts of orders, alerts and payments; of documents; of dead letters, for each service;
#: dead letters that are no order; what was done with dead letters; where dead letters come
#: from; and where records that can't be decoded were first. Rows are as in `dead_letters`.
Table = Literal["facts", "documents", "dead", "no_order", "resolved", "buried", "undecodable"]

_COLUMNS = ", ".join(Fact._fields)
_SCHEMA = f"""
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA temp_store = FILE;
    PRAGMA cache_size = -32000;
    CREATE TABLE facts ({_COLUMNS});
    CREATE TABLE documents AS SELECT * FROM facts;
    CREATE TABLE dead AS SELECT * FROM facts;
    CREATE TABLE no_order (part, at, timestamp, services, PRIMARY KEY (part, at)) WITHOUT ROWID;
    CREATE TABLE resolved (part, at, note, PRIMARY KEY (part, at)) WITHOUT ROWID;
    CREATE TABLE buried (topic, part, at, PRIMARY KEY (topic, part, at)) WITHOUT ROWID;
    CREATE TABLE undecodable (topic, part, at, PRIMARY KEY (topic, part, at)) WITHOUT ROWID;
"""  # noqa: S608 - our own names
# One statement for 100 rows takes a third of the time of one for each. It stays below the 999
# parameters that an old SQLite allows.
_ROWS = 100
# The dead letters that are open or were dropped; what was replayed is as if it had not been.
_DEAD = f"""
    SELECT {_COLUMNS.replace("state", f"state | iif(action IS NULL, 0, {DROPPED})")} FROM (
        SELECT dead.*, action_for(state, content, note) AS action
        FROM dead LEFT JOIN resolved ON part = partition AND at = offset
    ) WHERE action IS NULL OR action = 'dropped'
"""  # noqa: S608 - our own names
_CASES = f"""
    SELECT * FROM facts UNION ALL SELECT * FROM documents UNION ALL {_DEAD}
    ORDER BY 1, 2, 3, 4
"""  # noqa: S608 - our own names
_NO_ORDER = """
    SELECT part, at, done_with(services, timestamp, note)
    FROM no_order LEFT JOIN resolved USING (part, at) ORDER BY 1, 2
"""
_LOST = "SELECT * FROM undecodable EXCEPT SELECT * FROM buried ORDER BY 1, 2, 3"


class Evidence:
    """A temporary SQLite file; use it with `with`. Raises `sqlite3.Error` and OSError."""

    def __enter__(self) -> Self:
        self._directory = TemporaryDirectory(prefix="orderapp-reconcile-")
        path = Path(self._directory.name) / "evidence.db"
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.create_function("action_for", 3, action_for, deterministic=True)
        self._db.create_function("done_with", 3, done_with, deterministic=True)
        self._db.executescript(_SCHEMA)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._db.close()
        self._directory.cleanup()

    def add(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        """Add rows to a table; of those with one key the last one counts."""
        rows = list(rows)
        if not rows:
            return
        row = f"({', '.join('?' * len(rows[0]))})"
        one = f"INSERT OR REPLACE INTO {table} VALUES {row}"  # noqa: S608 - our own names
        many = f"{one}{f', {row}' * (_ROWS - 1)}"
        full = len(rows) - len(rows) % _ROWS
        self._db.execute("BEGIN")
        for start in range(0, full, _ROWS):
            self._db.execute(many, list(chain.from_iterable(rows[start : start + _ROWS])))
        self._db.executemany(one, rows[full:])
        self._db.execute("COMMIT")

    def forget_documents(self) -> None:
        """Before the store is read once more."""
        self._db.execute("DELETE FROM documents")

    def cases(self) -> Iterator[tuple[int, Case]]:
        """Every order id there is, ascending, with all that is known of it."""
        for order_id, rows in groupby(self._db.execute(_CASES), itemgetter(0)):
            yield order_id, Case(map(Fact._make, rows))

    def no_order(self) -> Iterator[tuple[int, int, str]]:
        """Partition and offset of each dead letter that is no order, and whether it is open,
        dropped or replayed."""
        return iter(self._db.execute(_NO_ORDER))

    def lost(self) -> Iterator[Origin]:
        """Records that can't be decoded, and that no dead letter keeps."""
        return iter(self._db.execute(_LOST))
