"""A client for the API's figures: requests as fast as they are answered, or at a fixed rate.

By hand over asyncio's streams: an HTTP library would use more CPU than what it measures.
"""

import asyncio
import time
from collections.abc import Callable

#: Connections that are kept open.
CONNECTIONS = 32

#: Makes the path of the next request.
NextPath = Callable[[], str]


class AnswerError(Exception):
    """An answer that is not the one that is measured."""


class Connection:
    """One connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def get(self, path: str) -> int:
        """The bytes of the answer, which has to be 200."""
        self._writer.write(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise AnswerError(f"{path}: {head[:40]!r}")
        _, _, rest = head.partition(b"Content-Length: ")
        size = int(rest.split(b"\r", 1)[0])
        await self._reader.readexactly(size)
        return size

    def close(self) -> None:
        self._writer.close()


async def most(port: int, path: NextPath, seconds: float) -> float:
    """Requests/s when every connection asks again at once."""
    connections = [await Connection.open(port) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    end = started + seconds
    done = 0

    async def ask(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await connection.get(path())
            done += 1

    try:
        await asyncio.gather(*map(ask, connections))
        return done / (time.perf_counter() - started)
    finally:
        for connection in connections:
            connection.close()


async def paced(port: int, path: NextPath, rate: float, seconds: float) -> list[float]:
    """Sorted milliseconds from when each request was due until its answer was there."""
    idle = [await Connection.open(port) for _ in range(CONNECTIONS)]
    connections = list(idle)
    times: list[float] = []

    async def ask(due: float) -> None:
        # With none idle a new one: a client that waited would hide the delay.
        connection = idle.pop() if idle else await Connection.open(port)
        if connection not in connections:
            connections.append(connection)
        await connection.get(path())
        times.append((time.perf_counter() - due) * 1000)
        idle.append(connection)

    started = time.perf_counter()
    asked = []
    try:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(ask(due)))
        await asyncio.gather(*asked)
    finally:
        for connection in connections:
            connection.close()
    return sorted(times)
