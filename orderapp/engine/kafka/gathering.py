"""Lets Kafka gather what comes next while records come, instead of sending each at once.

What a small delivery costs is hardly its records: requests, wake-ups between threads, a turn of
each service, a transaction. At a thousand records a second, one by one, these alone fill a
core, and each record waits for those before it. So Kafka is asked to hold its next answer for
about as long as what has just come takes to be processed. After a pause the first record comes
at once, and so does a backlog, which fills an answer by itself.
"""

import asyncio

from aiokafka import AIOKafkaConsumer

#: Milliseconds for each partition that brought records (a delivery of its own), and at most.
EACH, MOST = 1, 10
#: An answer with so many bytes is sent at once.
ENOUGH = 64 * 1024


class Gathering:
    """Sets how a consumer's next fetches wait; runs in the consumer's loop."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        # It looks at both for each request.
        self._fetcher = consumer._fetcher
        self._usual = (self._fetcher._fetch_min_bytes, self._fetcher._fetch_max_wait_ms)
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.TimerHandle | None = None

    def came(self, partitions: int) -> None:
        """Records of so many partitions have just been taken: the next fetch gathers.

        To be called before the fetcher asks for more."""
        wait = min(MOST, EACH * partitions)
        self._set(ENOUGH, wait)
        if self._end is not None:
            self._end.cancel()
        # Before an answer that brings nothing: what is asked then is not to be held.
        self._end = self._loop.call_later(wait / 1000, self._set, *self._usual)

    def _set(self, min_bytes: int, wait: int) -> None:
        self._fetcher._fetch_min_bytes, self._fetcher._fetch_max_wait_ms = min_bytes, wait
