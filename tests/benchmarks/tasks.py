"""What the tasks of a page's thread took: from Chromium's own trace."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from playwright.async_api import Browser, Page

_THREAD = "CrRendererMain"

#: Of a task: ms from its begin to its end, and ms of processor time, which is what it takes on
#: a machine that has nothing else to do.
Task = tuple[float, float]


def tasks_of(events: Sequence[Mapping[str, Any]]) -> list[Task]:
    """The tasks of the busiest page's thread in a trace."""
    pages = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == _THREAD
    }
    found: dict[tuple[int, int], list[Task]] = defaultdict(list)
    for event in events:
        thread = event["pid"], event["tid"]
        if event["name"].endswith("RunTask") and "tdur" in event and thread in pages:
            found[thread].append((event["dur"] / 1000, event["tdur"] / 1000))
    return max(found.values(), key=lambda tasks: sum(cpu for _, cpu in tasks), default=[])


async def trace(
    browser: Browser,
    page: Page,
    seconds: float,
    busy: Callable[[], AbstractAsyncContextManager[None]],
) -> list[Task]:
    """The tasks of the next seconds; `busy` is entered for what tracing itself does."""
    async with busy():
        await browser.start_tracing(page=page, categories=["toplevel"])
    await asyncio.sleep(seconds)
    async with busy():
        traced = await browser.stop_tracing()
    events = json.loads(traced)["traceEvents"]
    return await asyncio.to_thread(tasks_of, events)
