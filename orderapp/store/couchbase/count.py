"""One count of the totals at a time, for all who ask.

A count is made of rounds, and the first count of many. After that one round is enough to have
totals again; the longer it takes, the less often it is done. Meanwhile everybody gets the last
result, which says when it was.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from orderapp.store import Stats, StoreUnavailable

log = logging.getLogger(__name__)

#: Seconds for which totals are good in any case, and the part of the time spent counting.
STATS_AGE, SHARE = 3.0, 0.1
#: Seconds that a caller waits for totals, and for newer ones than there are.
PATIENCE, SHORT_PATIENCE = 1.9, 0.5


class SharedCount:
    """Counts when somebody asks.

    `probe` raises when the store does not answer now: then there are no totals, and the next
    caller after `STATS_AGE` tries again. `count` is one round; its result is None as long as
    not everything was counted, and `documents` says how far it is. When it raises although
    `probe` did not, counting took too long: the last result stays good, and the next count
    waits as after a success."""

    def __init__(
        self,
        probe: Callable[[], Awaitable[object]],
        count: Callable[[int], Awaitable[Stats | None]],
        documents: Callable[[], int],
    ) -> None:
        self._probe, self._count, self._documents = probe, count, documents
        self._last: _Attempt | None = None
        self._good: _Attempt | None = None
        self._is_closed = False

    def close(self) -> None:
        """Log no more failures: a count under way will fail, which is no news."""
        self._is_closed = True

    async def get(self, since: int) -> Stats:
        """Totals, and the activity since `since` (Unix time in s)."""
        last = self._last
        if last is None or last.is_outdated(since):
            last = self._last = self._begin(since)
        good = self._good if self._good and self._good.since <= since else None
        await asyncio.wait([last.task], timeout=SHORT_PATIENCE if good else PATIENCE)
        if good and (last.is_running or last.has_failed_counting):
            return good.stats(since)
        if last.is_running:
            text = (
                "the totals are being counted for the first time: "
                f"{self._documents():,} documents so far"
            )
            raise StoreUnavailable(text, public=text)
        return last.stats(since)

    def _begin(self, since: int) -> "_Attempt":
        attempt = _Attempt(since)
        attempt.task = asyncio.ensure_future(self._run(attempt))
        attempt.task.add_done_callback(lambda _: self._finish(attempt))
        return attempt

    async def _run(self, attempt: "_Attempt") -> Stats:
        await self._probe()
        while True:
            attempt.began = time.monotonic()
            counted = time.time()
            try:
                stats = await self._count(attempt.since)
            finally:
                # For that long the servers have worked, whether or not there is a result.
                took = time.monotonic() - attempt.began
                attempt.next = max(attempt.next, attempt.began + took / SHARE)
            if stats is not None:
                return Stats(stats.countries, stats.activity, counted)
            # The first count is waited for, and takes half of the time.
            await asyncio.sleep(took)

    def _finish(self, attempt: "_Attempt") -> None:
        # Its error is for those who wait for it, and they may all have gone.
        if attempt.task.cancelled():
            return
        if attempt.task.exception() is None:
            self._good = attempt
        elif attempt.has_failed_counting and not self._is_closed:
            log.warning("The totals could not be counted: %s", attempt.task.exception())


class _Attempt:
    task: asyncio.Task[Stats]

    def __init__(self, since: int) -> None:
        self.since = since
        #: When the count began (`time.monotonic`), None until the store has answered.
        self.began: float | None = None
        #: When another one may begin.
        self.next = time.monotonic() + STATS_AGE

    @property
    def is_running(self) -> bool:
        return not self.task.done()

    @property
    def has_failed_counting(self) -> bool:
        return self.began is not None and self.task.exception() is not None

    def is_outdated(self, since: int) -> bool:
        """Whether another one has to begin for those who ask now."""
        return since < self.since or (not self.is_running and time.monotonic() >= self.next)

    def stats(self, since: int) -> Stats:
        """What was counted; raises what went wrong."""
        found = self.task.result()
        recent = [span for span in found.activity if span.start >= since // 10 * 10]
        return Stats(found.countries, recent, found.counted)
