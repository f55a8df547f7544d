"""A connected client and the threads that call it."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from orderapp.store.couchbase.client import Client

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds.
CLOSE_LIMIT = 1.0


class Connection:
    """Threads of several kinds, so that reads of the web views do not queue behind writes that
    wait, or counts, and who waits for a reservation not behind batches."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.readers = ThreadPoolExecutor(4, thread_name_prefix="couchbase-read")
        self.writers = ThreadPoolExecutor(4, thread_name_prefix="couchbase-write")
        self.reservers = ThreadPoolExecutor(4, thread_name_prefix="couchbase-reserve")
        self.counters = ThreadPoolExecutor(1, thread_name_prefix="couchbase-count")

    async def close(self) -> None:
        """Disconnect. Without it the SDK may abort the process at its exit."""
        for threads in (self.readers, self.writers, self.reservers, self.counters):
            threads.shutdown(wait=False)
        closing = asyncio.wrap_future(in_thread(self.client.close))
        await asyncio.wait([closing], timeout=CLOSE_LIMIT)
        if not closing.done() or closing.exception():
            log.warning("%s did not close in order", self.client.where)


def in_thread(function: Callable[[], T]) -> Future[T]:
    """Call `function` in a thread of its own."""
    threads = ThreadPoolExecutor(1, thread_name_prefix="couchbase")
    try:
        return threads.submit(function)
    finally:
        threads.shutdown(wait=False)
