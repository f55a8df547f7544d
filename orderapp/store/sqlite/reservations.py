"""Reservations in SQLite: a table of their own, in which new ones clear away expired ones.

The rows lie in the order in which they came, and only a small index is in that of the keys,
which are random: so a transaction writes few pages.
"""

import sqlite3
import time

from msgspec.structs import astuple, replace

from orderapp.store.reservations import Reservation

COLUMNS = Reservation.__struct_fields__

#: Made at every start: a file needs it that has the present version already, and older workers,
#: which may run beside this one, do not mind it.
TABLE = """CREATE TABLE IF NOT EXISTS reservations (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, order_id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL, amount REAL NOT NULL, country TEXT NOT NULL,
    created_at TEXT NOT NULL, expires INTEGER NOT NULL, holder TEXT NOT NULL,
    beat INTEGER NOT NULL, is_confirmed INTEGER NOT NULL)"""

_NAMES = ", ".join(COLUMNS)
_INSERT = f"""INSERT INTO reservations ({_NAMES}) VALUES ({", ".join("?" * len(COLUMNS))})
    ON CONFLICT (key) DO NOTHING"""  # noqa: S608 - our own names
_SELECT = f"SELECT {_NAMES} FROM reservations WHERE key = ?"  # noqa: S608 - our own names
_REPLACE = """UPDATE reservations SET holder = ?, beat = ?, is_confirmed = ?
    WHERE key = ? AND holder = ? AND beat = ? AND is_confirmed = ?"""
_DELETE = "DELETE FROM reservations WHERE key = ? AND expires <= ?"
#: Of the oldest.
_CLEAN = """DELETE FROM reservations WHERE expires <= ?
    AND id IN (SELECT id FROM reservations ORDER BY id LIMIT 2)"""


def reserve(connection: sqlite3.Connection, wanted: Reservation) -> Reservation:
    """Insert a reservation, or find the one that is there; in the caller's transaction."""
    now = int(time.time())
    while connection.execute(_INSERT, astuple(wanted)).rowcount == 0:
        found = _read(connection, wanted.key)
        if not found.has_expired():
            return found
        connection.execute(_DELETE, (wanted.key, now))
    # Two go for one that comes, so that all go in the end, and none has to wait for many.
    connection.execute(_CLEAN, (now,))
    return wanted


def replace_reservation(
    connection: sqlite3.Connection, before: Reservation, after: Reservation
) -> bool:
    """Change one that is still as it was; in the caller's transaction."""
    values = after.holder, after.beat, after.is_confirmed
    where = before.key, before.holder, before.beat, before.is_confirmed
    return connection.execute(_REPLACE, (*values, *where)).rowcount == 1


def _read(connection: sqlite3.Connection, key: str) -> Reservation:
    row = connection.execute(_SELECT, (key,)).fetchone()
    found = Reservation(*row)
    return replace(found, is_confirmed=bool(found.is_confirmed))
