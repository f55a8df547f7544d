"""Takes the documentation's pictures of a real worker's dashboard.

    python -m tests.web_page.screenshots [--minutes 5] [--directory docs/images]

The worker runs for some minutes first, with orders that come in waves, so that the chart has
something to show; some payments are declined and some orders are broken on purpose.
"""

import argparse
import asyncio
import math
import random
import re
import tempfile
import time
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser import ARGS, find_chromium
from tests.e2e import records
from tests.e2e.worker import Worker, workers
from tests.web_page.page import expect_state, story, try_it

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FAULTS = {"ORDERAPP_FAULT_GATEWAY_DECLINE": "0.06", "ORDERAPP_FAULT_GATEWAY_TIMEOUT": "0.1"}
COUNTRIES = ("US", "US", "US", "DE", "DE", "GB", "GB", "IN", "CA", "CA")
#: Orders/s at the least, at the most, and seconds from one wave to the next.
LOW, HIGH, WAVE = 0.4, 2.4, 150.0


async def send_waves(worker: Worker, seconds: float) -> None:
    """Orders as customers might send them; a few can't be read."""
    began = time.monotonic()
    number = int(time.time() * 1_000_000)
    while (passed := time.monotonic() - began) < seconds:
        number += random.randint(1_000, 9_000)
        message = records.order(
            number,
            round(random.uniform(10, 500), 2),
            random.choice(COUNTRIES),
            customer_id=random.randint(1000, 9999),
        )
        if random.random() < 0.01:
            message = (message[0], b'{"order_id": "?"}')
        await asyncio.to_thread(records.send, worker.kafka, [message])
        height = (1 - math.cos(2 * math.pi * passed / WAVE)) / 2
        await asyncio.sleep(random.expovariate(LOW + (HIGH - LOW) * height))


async def open_live(browser: Browser, worker: Worker, width: int, height: int, scheme) -> Page:
    """A page that has everything."""
    page = await browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
    )
    await page.goto(f"http://127.0.0.1:{worker.port}/")
    await expect_state(page, "Live")
    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect(page.locator("#activity canvas")).to_be_visible()
    # The first answer about them is that nobody has counted yet.
    letters = page.locator("[data-figure=dead-letters]")
    await expect(letters).to_have_text(re.compile(r"^\d"), timeout=20_000)
    return page


async def take(worker: Worker, directory: Path) -> None:
    """The four pictures."""
    async with async_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            raise SystemExit("no Chromium: playwright install chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        for scheme in ("light", "dark"):
            page = await open_live(browser, worker, 1280, 900, scheme)
            await page.screenshot(path=directory / f"dashboard-{scheme}.png")
        page = await open_live(browser, worker, 390, 844, "light")
        await page.screenshot(path=directory / "phone.png")
        page = await open_live(browser, worker, 1280, 800, "light")
        await try_it(page)
        await page.get_by_role("button", name="Send a risky order").click()
        await expect(story(page)).to_contain_text("Paid", timeout=20_000)
        await expect(story(page)).to_contain_text("Stored")
        await page.screenshot(path=directory / "timeline.png")
        await browser.close()


async def main() -> None:
    """Run a worker, let it work, take the pictures."""
    parser = argparse.ArgumentParser("python -m tests.web_page.screenshots")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--directory", type=Path, default=IMAGES)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    # The broker ends, and lets go of its files, a moment after its last worker.
    here = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with here as data, workers(Path(data) / "data") as start:
        worker = await asyncio.to_thread(lambda: start(**FAULTS).wait_ready())
        sending = asyncio.create_task(send_waves(worker, options.minutes * 60 + 60))
        await asyncio.sleep(options.minutes * 60)
        await take(worker, options.directory)
        sending.cancel()
    for path in sorted(options.directory.glob("*.png")):
        print(f"{path}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    asyncio.run(main())
