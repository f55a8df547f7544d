"""How long an order takes from its POST until it, and then its payment, is seen on the page.

A fresh worker with all services and its default settings (but no producer), and a real
Chromium on the same machine. From before the request is sent until the frame after the row
(its chip "paid") is in the page.
"""

import asyncio
import json
import random
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.benchmarks.latency import percentile
from tests.benchmarks.report import render
from tests.benchmarks.throughput import ContenderError
from tests.browser import ARGS, find_chromium
from tests.e2e.worker import workers

#: Seconds between two orders, at random between these, so that they hit every phase of the
#: stream's and the page's own rhythm.
PAUSE = (0.1, 0.5)
PATIENCE = 20.0

WATCH = """() => {
  window.seen = {};
  const note = (key) => { window.seen[key] ??= 0; requestAnimationFrame(() => {
    window.seen[key] ||= performance.timeOrigin + performance.now(); }) };
  const look = () => {
    for (const row of document.querySelectorAll("#rows tr")) {
      const id = row.dataset.orderId;
      if (!window.seen[`shown ${id}`]) note(`shown ${id}`);
      const paid = row.querySelector(".chip")?.dataset.tone === "good";
      if (paid && !window.seen[`paid ${id}`]) note(`paid ${id}`);
    }
  };
  new MutationObserver(look).observe(document.getElementById("rows"),
    { childList: true, subtree: true, characterData: true });
}"""


@dataclass(frozen=True)
class Visible:
    """Milliseconds."""

    what: str
    orders: int
    p50: float
    p95: float
    max: float


def _post(origin: str) -> int:
    body = json.dumps({"customer_id": 1234, "amount": 350, "country": "DE"}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{origin}/api/orders", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.load(answer)["order"]["order_id"])


async def _send(origin: str, orders: int) -> dict[int, float]:
    """The moment (Unix time in ms) before each order was sent, by its id."""
    sent = {}
    for _ in range(orders):
        before = time.time() * 1000
        sent[await asyncio.to_thread(_post, origin)] = before
        await asyncio.sleep(random.uniform(*PAUSE))
    return sent


async def _seen(page: Page, wanted: set[str]) -> dict[str, float]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        seen: dict[str, float] = await page.evaluate("window.seen")
        if wanted <= {name for name, moment in seen.items() if moment}:
            return seen
        await asyncio.sleep(0.2)
    raise ContenderError(f"after {PATIENCE:g} s {len(wanted - seen.keys())} were not seen")


async def _watch(origin: str, orders: int) -> list[Visible]:
    async with async_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            raise ContenderError("no Chromium: playwright install chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        page = await browser.new_page()
        await page.goto(origin)
        await page.locator('#connection[data-state="live"]').wait_for()
        await page.evaluate(WATCH)
        sent = await _send(origin, orders)
        seen = await _seen(page, {f"{what} {n}" for n in sent for what in ("shown", "paid")})
        await browser.close()
    found = []
    for what in ("shown", "paid"):
        times = sorted(seen[f"{what} {number}"] - before for number, before in sent.items())
        p50, p95 = percentile(times, 50), percentile(times, 95)
        found.append(Visible(what, len(times), p50, p95, times[-1]))
    return found


async def measure(orders: int) -> list[dict[str, Any]]:
    """Send orders and watch the page; prints a table."""
    with tempfile.TemporaryDirectory() as directory, workers(Path(directory) / "data") as start:
        worker = await asyncio.to_thread(lambda: start().wait_ready())
        found = await _watch(f"http://127.0.0.1:{worker.port}", orders)
    rows = (
        (
            f"POST to {one.what}", f"{one.orders}",
            f"{one.p50:.0f}", f"{one.p95:.0f}", f"{one.max:.0f}",
        )
        for one in found
    )  # fmt: skip
    print(render(("on the page", "orders", "p50 ms", "p95 ms", "max ms"), rows))
    print("\nPaid: with a gateway that takes 100 ms.")
    return [asdict(one) for one in found]
