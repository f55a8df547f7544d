"""The page under load, for some minutes, in a real Chromium.

A fresh worker with all services, 50,000 stored orders and 200 more each second. Meanwhile: all
tasks of the page's thread that take longer than 50 ms; the page's JavaScript heap after a
collection of garbage; and clicks on orders, as people aim: the pointer goes into the list, an
order is chosen and reached, and a moment later the button is pressed.

Who looks at the page has another machine than the worker; here the worker and all that it is
sent yield to the browser (nice). What the measurement itself does to the page's thread, such as
a collection of garbage, does not count, nor the time in which the whole machine stood still
(`standstill`).
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, async_playwright, expect

from orderapp.store.adapters import FILES
from tests.benchmarks import tasks
from tests.benchmarks.api import fill
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import render
from tests.benchmarks.throughput import ContenderError
from tests.browser import ARGS, find_chromium
from tests.e2e.worker import Worker, eventually

#: Orders that are there before, and seconds that nothing of is measured.
STORED, WARM_UP = 50_000, 20.0
CLICKS = 50
#: Seconds between two looks at the heap, and from the aim to the click.
LOOK, AIM = 15.0, (0.2, 0.6)
#: Seconds until a click has opened nothing.
PATIENCE = 5.0
#: Seconds of each trace, in which tasks have their processor time.
TRACE = 10.0
NOW = "performance.timeOrigin + performance.now()"
#: Before a command whose processes let others go first.
YIELDING = ("nice", "-n", "10")

#: From and to (Unix time in ms).
Span = tuple[float, float]

WATCH = """() => {
  window.tasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      window.tasks.push([performance.timeOrigin + startTime, duration]);
    }
  }).observe({ type: "longtask" });
}"""
#: The middle of a row's order id that is in view, and which one it is.
ROW = """(part) => {
  const links = [...document.querySelectorAll("#rows a")].filter((link) => {
    const { top, bottom } = link.getBoundingClientRect();
    return top > 0 && bottom < innerHeight;
  });
  const link = links[Math.floor(part * links.length)];
  const { left, top, width, height } = link.getBoundingClientRect();
  return [link.textContent, left + width / 2, top + height / 2];
}"""
OPENED = r"location.hash.match(/orders.(\d+)/)?.[1] ?? ''"


@dataclass(frozen=True)
class Console:
    """Tasks in ms, the heap in MB."""

    seconds: float
    rate: int
    orders: int
    longest_task: float
    tasks_above_50: int
    tasks_above_100: int
    #: How often the machine stood still, for more than 30 ms.
    stood_still: int
    #: Processor time of the longest one in the traces.
    longest_cpu: float
    heap_begin: float
    heap_end: float
    heap_most: float
    #: What it grows by in an hour, by the line that fits all looks best.
    heap_mb_per_hour: float
    nodes_begin: int
    nodes_end: int
    clicks: int
    right: int


def slope(points: list[tuple[float, float]]) -> float:
    """That of the line that fits the points best (least squares)."""
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / spread if spread else 0.0


class Ours:
    """When the measurement itself kept the page's thread busy."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._spans: list[Span] = []

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """While it does."""
        began = await self._page.evaluate(NOW)
        yield
        self._spans.append((began, await self._page.evaluate(NOW)))

    def without(self, tasks: list[Span]) -> list[Span]:
        """The others of tasks (begin, duration)."""
        return [
            (began, duration)
            for began, duration in tasks
            if not any(from_ < began + duration and began < to for from_, to in self._spans)
        ]


def running(tasks: list[Span], stood: list[Span]) -> list[float]:
    """How long tasks (begin, duration) took, but for the spans in which the machine stood."""
    return [
        duration
        - sum(max(0.0, min(began + duration, to) - max(began, from_)) for from_, to in stood)
        for began, duration in tasks
    ]


@asynccontextmanager
async def _standing() -> AsyncIterator[list[Span]]:
    """When the machine stood still meanwhile; filled in at the end."""
    found: list[Span] = []
    watching = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.standstill",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield found
    finally:
        output, _ = await watching.communicate(b"\n")
        found += [(from_, to) for from_, to in json.loads(output)]


async def _heap(session: CDPSession, ours: Ours) -> tuple[float, int]:
    """MB in use and nodes, after a collection."""
    async with ours.busy():
        await session.send("HeapProfiler.collectGarbage")
    used = await session.send("Runtime.getHeapUsage")
    counters = await session.send("Memory.getDOMCounters")
    return used["usedSize"] / 1e6, counters["nodes"]


async def _click(page: Page) -> bool:
    """Aim at an order and click; whether that one was opened."""
    _, x, y = await page.evaluate(ROW, 0.5)
    await page.mouse.move(x, y, steps=5)
    # It says so when it stands: nobody aims before.
    await expect(page.locator("#page-note")).to_contain_text("held")
    aimed, x, y = await page.evaluate(ROW, random.random())
    await page.mouse.move(x, y, steps=5)
    await asyncio.sleep(random.uniform(*AIM))
    await page.mouse.click(x, y)
    opened, patience = "", time.monotonic() + PATIENCE
    while not opened and time.monotonic() < patience:
        opened = await page.evaluate(OPENED)
    await page.keyboard.press("Escape")
    # Out of the list, which goes on then.
    await page.mouse.move(5, 5)
    await page.evaluate("document.activeElement?.blur()")
    await expect(page.locator("#page-note")).not_to_contain_text("held")
    if opened != aimed:
        print(f"... aimed at {aimed}, opened {opened or 'nothing'}", flush=True)
    return bool(opened == aimed)


async def _clicks(page: Page, seconds: float) -> list[bool]:
    """Clicks at even times."""
    found = []
    began = time.monotonic()
    for number in range(CLICKS):
        await asyncio.sleep(max(0, began + number * seconds / CLICKS - time.monotonic()))
        found.append(await _click(page))
    return found


async def _looks(page: Page, seconds: float, ours: Ours) -> list[tuple[float, float, int]]:
    """Seconds, MB and nodes, again and again."""
    session = await page.context.new_cdp_session(page)
    began = time.monotonic()
    found = []
    while (passed := time.monotonic() - began) < seconds:
        found.append((passed, *await _heap(session, ours)))
        await asyncio.sleep(LOOK)
    return found


async def _traces(browser: Browser, page: Page, seconds: float, ours: Ours) -> list[tasks.Task]:
    """The tasks in windows of `TRACE` seconds, one for each two of `LOOK`."""
    began = time.monotonic()
    found: list[tasks.Task] = []
    while time.monotonic() - began < seconds - TRACE:
        found += await tasks.trace(browser, page, TRACE, ours.busy)
        await asyncio.sleep(2 * LOOK - TRACE)
    return found


async def _watch(browser: Browser, page: Page, seconds: float) -> dict[str, Any]:
    await asyncio.sleep(WARM_UP)
    await page.evaluate(WATCH)
    ours = Ours(page)
    async with _standing() as stood:
        clicked, looks, traced = await asyncio.gather(
            _clicks(page, seconds),
            _looks(page, seconds, ours),
            _traces(browser, page, seconds, ours),
        )
    durations = running(ours.without(await page.evaluate("tasks")), stood)
    heaps = [heap for _, heap, _ in looks]
    return {
        "longest_task": max(durations, default=0.0),
        "tasks_above_50": sum(duration > 50 for duration in durations),
        "tasks_above_100": sum(duration > 100 for duration in durations),
        "stood_still": len(stood),
        "longest_cpu": max((cpu for _, cpu in traced), default=0.0),
        "heap_begin": heaps[0],
        "heap_end": heaps[-1],
        "heap_most": max(heaps),
        "heap_mb_per_hour": 3600 * slope([(at, heap) for at, heap, _ in looks]),
        "nodes_begin": looks[0][2],
        "nodes_end": looks[-1][2],
        "clicks": len(clicked),
        "right": sum(clicked),
    }


async def _browse(origin: str, seconds: float) -> dict[str, Any]:
    async with async_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            raise ContenderError("no Chromium: playwright install chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(origin)
        await page.locator('#connection[data-state="live"]').wait_for()
        try:
            found = await _watch(browser, page, seconds)
        finally:
            await browser.close()
    if errors:
        raise ContenderError(f"the page had {len(errors)} errors: {errors[0]}")
    return found


def _all_stored(worker: Worker, wanted: int) -> None:
    eventually(
        lambda: worker.get("/api/stats")[1]["orders"] == wanted, f"{wanted:,} orders are stored"
    )


async def _measured(seconds: float, rate: int, data: Path) -> Console:
    with closing(Worker(data)) as worker:
        worker.command = [*YIELDING, *worker.command]
        await asyncio.to_thread(lambda: worker.start().wait_ready())
        await fill(data / FILES[0], STORED)
        sending = await asyncio.create_subprocess_exec(
            *YIELDING, sys.executable, "-m", "tests.benchmarks.sender", worker.kafka, str(rate),
            str(seconds + WARM_UP + 10), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            found = await _browse(f"http://127.0.0.1:{worker.port}", seconds)
            output, _ = await asyncio.wait_for(sending.communicate(), 60)
        finally:
            if sending.returncode is None:
                sending.kill()
                await sending.wait()
        wanted = STORED + json.loads(output)["sent"]
        await asyncio.to_thread(_all_stored, worker, wanted)
        return Console(seconds, rate, wanted, **found)


async def measure(seconds: float, rate: int) -> list[dict[str, Any]]:
    """Watch and use the page while orders come; prints a table."""
    # A broker that ends may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        result = await _measured(seconds, rate, Path(directory) / "data")
    rows = [(name.replace("_", " "), f"{value:,.1f}") for name, value in asdict(result).items()]
    print(render(("of the page", "figure"), rows))
    print("\nTasks in ms; longest cpu: processor time, in a third of the run. The heap in MB.")
    return [asdict(result)]
