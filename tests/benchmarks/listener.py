"""Listens to `/api/events` with many streams, in a process of its own.

    python -m tests.benchmarks.listener PORT STREAMS

Writes a line when all are open, and listens until its input ends. Then prints, as JSON, for
each stream how many orders, alerts and payments it got, how many items were skipped, and how
many gaps it was told. It speaks HTTP/1.1, as browsers do: the events come in chunks.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator

_SKIPPED = re.compile(rb'"skipped":(\d+)')
_CHUNKED = b"\r\nTransfer-Encoding: chunked"
#: What only an item of the kind has.
MARKS = {
    "orders": b'"partition":',
    "fraud-alerts": b'"detected_at":',
    "payments": b'"paid_at":',
}


class Stream(asyncio.Protocol):
    """Counts what it gets, message by message, without decoding."""

    def __init__(self) -> None:
        self.items = dict.fromkeys(MARKS, 0)
        self.skipped = self.gaps = 0
        self.open = asyncio.get_running_loop().create_future()
        self._is_answered = False
        self._bytes = self._text = b""

    def connection_made(self, transport) -> None:
        transport.write(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the stream ended before it began")

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if not self._is_answered:
            self._read_head()
        if self._is_answered:
            *events, self._text = (self._text + b"".join(self._chunks())).split(b"\n\n")
            for event in events:
                self._note(event)

    def _read_head(self) -> None:
        head, found, rest = self._bytes.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200 ") or _CHUNKED not in head:
            self._fail(f"no stream: {head[:60]!r}")
            return
        self._is_answered, self._bytes = True, rest

    def _fail(self, reason: str) -> None:
        if not self.open.done():
            self.open.set_exception(ConnectionError(reason))

    def _chunks(self) -> Iterator[bytes]:
        """What the whole chunks hold; the rest waits."""
        received, at = self._bytes, 0
        while (line := received.find(b"\r\n", at)) >= 0:
            begin = line + 2
            end = begin + int(received[at:line], 16)
            if len(received) < end + 2:
                break
            yield received[begin:end]
            at = end + 2
        self._bytes = received[at:]

    def _note(self, event: bytes) -> None:
        if not self.open.done() and b"id: " in event:
            self.open.set_result(None)
        if b"event: gap" in event:
            self.gaps += 1
        elif b"event: batch" in event:
            for kind, mark in MARKS.items():
                self.items[kind] += event.count(mark)
            self.skipped += int(_SKIPPED.findall(event)[-1])


async def listen(port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    streams = [
        (await loop.create_connection(Stream, "127.0.0.1", port))[1] for _ in range(count)
    ]
    async with asyncio.timeout(30):
        await asyncio.gather(*(stream.open for stream in streams))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps([(s.items, s.skipped, s.gaps) for s in streams]))


if __name__ == "__main__":
    asyncio.run(listen(int(sys.argv[1]), int(sys.argv[2])))
