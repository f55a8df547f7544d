"""The chart of orders and alerts over time."""

import re
import time
from typing import Any

import pytest
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

    few = buckets((now - 300, 3, 1), (now - 60, 7, 2), (now, 5, 4))
    (times, orders, alerts), step = await series(page, few, now + 9)
    assert step == 10
    assert times == list(range(now - 300, now + 10, 10))  # the last one is still filling
    assert {at: n for at, n in zip(times, orders, strict=True) if n} == {
        now - 300: 3,
        now - 60: 7,
        now: 5,
    }
    assert {at: n for at, n in zip(times, alerts, strict=True) if n} == {
        now - 300: 1,
        now - 60: 2,
        now: 4,
    }

    # All that the API has of the last hour is in a bar, at whatever second of a minute.
    for at in range(now, now + 60, 10):
        hour = buckets((at - 3600, 1, 0), (at - 60, 7, 2), (at - 50, 5, 0), (at, 3, 1))
        (times, orders, alerts), step = await series(page, hour, at + 9)
        assert (step, len(times)) == (60, 61)
        assert [orders[0], sum(orders), sum(orders[-3:])] == [1, 16, 15]
        assert [sum(alerts), sum(alerts[-3:])] == [3, 3]
        assert times[-1] <= at < times[-1] + 60


# Each text that is drawn on a canvas, with the place of its left edge in CSS pixels.
LABELS = """() => {
  window.labels = new Map();
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const width = this.measureText(text).width;
    const left = { right: x - width, center: x - width / 2 }[this.textAlign] ?? x;
    window.labels.set(text, left / devicePixelRatio);
    return fillText.call(this, text, x, y);
  };
}"""


@pytest.mark.parametrize(
    ("orders", "label"),
    [(9, "2"), (12_345, "10,000"), (654_321, "600,000"), (2_500_000, "2m")],
)
async def test_no_label_of_the_chart_is_cut(
    worker: FakeWorker, open_page: OpenPage, orders: int, label: str
) -> None:
    page = (await open_page("about:blank")).page
    await page.add_init_script(f"({LABELS})()")
    worker.more_activity = [
        {"start": int(time.time()) // 10 * 10, "orders": orders, "alerts": 0}
    ]
    await page.goto(worker.url)
    await page.wait_for_function("label => window.labels.has(label)", arg=label)

    assert await page.evaluate("[...window.labels].filter(([, left]) => left < 0)") == []


async def test_the_bar_that_is_still_filling_is_drawn_and_read(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(5)))
    start = int(time.time()) // 10 * 10
    worker.now = start + 5
    worker.more_activity = [{"start": start, "orders": 2, "alerts": 1}]
    page = (await open_page(worker.url)).page
    chart = page.get_by_role("slider", name="Orders and alerts over time")
    await expect(chart).to_have_attribute("aria-valuetext", "7 orders, 1 alert, in 5 minutes")

    await chart.focus()
    await expect(chart).to_have_attribute(
        "aria-valuetext", re.compile("^.{8}, 10 s so far: 2 orders, 1 alert$")
    )
    await page.keyboard.press("ArrowLeft")
    await expect(chart).to_have_attribute(
        "aria-valuetext", re.compile("^.{8}, 10 s: 0 orders, 0 alerts$")
    )


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
