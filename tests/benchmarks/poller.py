"""Asks a worker for pages, one after the other, in a process of its own.

    python -m tests.benchmarks.poller PORT PATH...

Writes a line when the first answers are there, and goes on until its input ends. Then prints,
as JSON, the milliseconds of every answer by path. Apart from whoever makes the load: that one's
garbage collector alone would hold up the questions for 100 ms.
"""

import asyncio
import json
import sys
import time

from tests.benchmarks.http_load import Connection

#: Seconds between two rounds.
PAUSE = 0.01


async def ask(port: int, path: str) -> float:
    """Milliseconds until the answer, over a connection of its own, as load balancers ask."""
    began = time.perf_counter()
    connection = await Connection.open(port)
    try:
        await connection.get(path)
        return (time.perf_counter() - began) * 1000
    finally:
        connection.close()


async def poll(port: int, paths: list[str]) -> None:
    for path in paths:
        await ask(port, path)
    print("asking", flush=True)
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    times: dict[str, list[float]] = {path: [] for path in paths}
    while not end.done():
        for path in paths:
            times[path].append(await ask(port, path))
        await asyncio.sleep(PAUSE)
    print(json.dumps(times))


if __name__ == "__main__":
    asyncio.run(poll(int(sys.argv[1]), sys.argv[2:]))
