"""The chart of orders and alerts over time."""

import re
from typing import Any

from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order


async def series(page: Page, activity: list[dict[str, int]], now: int) -> Any:
    """`[times, orders, alerts]` and the bars' width, as the page computes them."""
    return await page.evaluate(
        """async ([activity, now]) => {
          const { series } = await import("/static/series.js");
          const { columns, step } = series(activity, now);
          return [columns, step];
        }""",
        [activity, now],
    )


def buckets(*found: tuple[int, int, int]) -> list[dict[str, int]]:
    return [{"start": s, "orders": o, "alerts": a} for s, o, a in found]


async def test_each_bucket_is_counted_in_the_bar_of_its_time(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    now = 1_795_000_020

    few = buckets((now - 300, 3, 1), (now - 60, 7, 2), (now, 100, 100))
    (times, orders, alerts), step = await series(page, few, now + 9)
    assert step == 10
    assert times == list(range(now - 300, now, 10))
    assert {at: n for at, n in zip(times, orders, strict=True) if n} == {
        now - 300: 3,
        now - 60: 7,
    }
    assert {at: n for at, n in zip(times, alerts, strict=True) if n} == {
        now - 300: 1,
        now - 60: 2,
    }

    hour = buckets((now - 3600, 1, 0), (now - 60, 7, 2), (now - 50, 5, 0))
    (times, orders, alerts), step = await series(page, hour, now)
    assert (step, len(times)) == (60, 60)
    assert [orders[0], orders[-1], sum(orders)] == [1, 12, 13]
    assert [alerts[-1], sum(alerts)] == [2, 2]


async def test_the_bars_are_read_by_keyboard(worker: FakeWorker, open_page: OpenPage) -> None:
    worker.put(*(make_order(n) for n in range(5)))
    worker.alert(FIRST_ID)
    page = (await open_page(worker.url)).page
    chart = page.get_by_role("slider", name="Orders and alerts over time")
    await expect(page.locator("#activity canvas")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()  # the bars move on every 10 s
    await page.locator("#risky").focus()
    for _ in range(20):
        if await chart.evaluate("chart => chart === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await expect(chart).to_be_focused()

    full = []
    for _ in range(30):
        text = await chart.get_attribute("aria-valuetext")
        assert text is not None
        assert text == await page.locator("#activity-readout").inner_text()
        if " 0 orders" not in text:
            full.append(text)
        await page.keyboard.press("ArrowLeft")
    assert len(full) == 1
    assert re.fullmatch(r"\d\d:\d\d:\d0, 10 s: 5 orders, 1 alert", full[0])

    await page.keyboard.press("End")
    assert await chart.get_attribute("aria-valuenow") == await chart.get_attribute(
        "aria-valuemax"
    )
    await page.keyboard.press("Home")
    await expect(chart).to_have_attribute("aria-valuenow", "0")
    await page.keyboard.press("Tab")
    await expect(chart).to_have_attribute("aria-valuetext", "5 orders, 1 alert, in 5 minutes")
