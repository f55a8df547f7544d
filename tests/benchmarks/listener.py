"""Listens to `/api/events` with many streams, in a process of its own.

    python -m tests.benchmarks.listener PORT STREAMS

Writes a line when all are open, and listens until its input ends. Then prints, as JSON, for
each stream how many orders it got, how many items were skipped, and how many gaps it was told.
"""

import asyncio
import json
import re
import sys

_SKIPPED = re.compile(rb'"skipped":(\d+)')


class Stream(asyncio.Protocol):
    """Counts what it gets, message by message, without decoding."""

    def __init__(self) -> None:
        self.orders = self.skipped = self.gaps = 0
        self.open = asyncio.get_running_loop().create_future()
        self._rest = b""

    def connection_made(self, transport) -> None:
        transport.write(b"GET /api/events HTTP/1.0\r\nHost: localhost\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        if not self.open.done() and b"id: " in data:
            self.open.set_result(None)
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if b"event: gap" in event:
                self.gaps += 1
            elif b"event: batch" in event:
                self.orders += event.count(b'"partition":')
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
    print(json.dumps([(s.orders, s.skipped, s.gaps) for s in streams]))


if __name__ == "__main__":
    asyncio.run(listen(int(sys.argv[1]), int(sys.argv[2])))
