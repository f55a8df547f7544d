"""Orders that are older than so many days are deleted, with all that belongs to them.

A few in each transaction, and then a pause of several times as long: who writes never waits for
more than one step, however much has grown old.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from orderapp.models import DAY_MS, format_time
from orderapp.store import StoreError
from orderapp.store.sqlite.counts import Changes
from orderapp.store.sqlite.schema import TABLES
from orderapp.store.sqlite.write import ROWS, documents_of

log = logging.getLogger(__name__)

#: Orders that a transaction looks at, at most, and the pause after it, in times of its own.
STEP, REST = 5 * ROWS, 4.0
#: Seconds between two looks from the beginning, and the shortest pause in between.
EVERY, SHORTEST = 60.0, 0.02

#: The time and the id of an order: where a look goes on.
Place = tuple[str, int]
BEGINNING: Place = ("", -1)

#: Runs a step in a transaction.
Change = Callable[[Callable[[sqlite3.Connection], Place | None]], Awaitable[Place | None]]

_OLD = """SELECT created_at, order_id, kafka_timestamp FROM orders
    WHERE (created_at, order_id) > (?, ?) AND created_at < ?
    ORDER BY created_at, order_id LIMIT ?"""


def delete(connection: sqlite3.Connection, before_ms: int, after: Place) -> Place | None:
    """Delete some orders whose time and whose record's timestamp are both from before this, in
    the caller's transaction; where to go on, None at the end.

    By its time alone an order that was dated back would go at once."""
    before = format_time(datetime.fromtimestamp(before_ms / 1000, UTC))
    rows = connection.execute(_OLD, (*after, before, STEP)).fetchall()
    ids = [order_id for _, order_id, timestamp in rows if timestamp < before_ms]
    changes = Changes()
    for kind, table in TABLES.items():
        changes.count(kind, documents_of(connection, kind, ids), -1)
        where = f"DELETE FROM {table} WHERE order_id = ?"  # noqa: S608 - our own names
        connection.executemany(where, ((order_id,) for order_id in ids))
    changes.write_countries(connection)
    return rows[-1][:2] if len(rows) == STEP else None


async def keep(days: int, change: Change) -> None:
    """Delete what is older than so many days, again and again; `change` runs a function in a
    transaction."""
    while True:
        try:
            await _look(round(time.time() * 1000) - days * DAY_MS, change)
        except StoreError as error:
            log.warning("old orders are not deleted: %s (next attempt in %g s)", error, EVERY)
        await asyncio.sleep(EVERY)


async def _look(before_ms: int, change: Change) -> None:
    after: Place | None = BEGINNING
    while after is not None:
        step, began = partial(delete, before_ms=before_ms, after=after), time.monotonic()
        after = await change(step)
        await asyncio.sleep(max(SHORTEST, REST * (time.monotonic() - began)))
