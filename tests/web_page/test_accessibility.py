"""The page for everybody: small screens, keyboards, screen readers, both colour schemes."""

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order
from tests.web_page.page import COLUMNS, expect_state, story, try_it

# Every visible text against the background that it stands on, by the WCAG formula.
CONTRASTS = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return channels(color)[3] === 0 ? ground(element.parentElement) : color;
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(".visually-hidden, option, script")) continue;
    const pair = [getComputedStyle(element).color, ground(element)].map(luminance);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    found.push([texts.currentNode.data.trim(), ratio]);
  }
  return found;
}"""


def fill(worker: FakeWorker) -> None:
    """One order of each kind, and a payment's status that the page does not know."""
    worker.put(*(make_order(n) for n in range(6)), make_order(6, country="W" * 64))
    worker.alert(FIRST_ID + 5)
    worker.pay(FIRST_ID + 5)
    worker.pay(FIRST_ID + 4, "DECLINED")
    worker.pay(FIRST_ID + 3, "REFUNDED")
    worker.bury(FIRST_ID + 2)
    worker.pay(FIRST_ID + 6)
    worker.services["payment"]["oldest_seconds"] = 100.0
    worker.services["fraud"]["oldest_seconds"] = 10.0
    worker.missing = ["W" * 80]
    worker.faults = {"gateway_timeout": 0.3}
    worker.token = "secret"


async def open_full(worker: FakeWorker, open_page: OpenPage, **options) -> Page:
    """The page with everything on it that it can show."""
    fill(worker)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 5}", **options)).page
    await expect(page.locator("#rows tr")).to_have_count(7)
    await expect(story(page)).to_contain_text("Paid")
    await expect_state(page, "Worker not ready")
    await try_it(page)
    await page.get_by_role("button", name="Send a risky order").click()
    await expect(page.get_by_label("API token")).to_be_visible()
    await expect(page.locator("#countries li")).to_have_count(2)
    return page


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
async def test_the_page_never_scrolls_sideways(
    worker: FakeWorker, open_page: OpenPage, width: int
) -> None:
    page = await open_full(worker, open_page, width=width)
    assert width == await page.evaluate("document.scrollingElement.scrollWidth")


@pytest.mark.parametrize("width", [320, 1280])
async def test_the_table_keeps_its_meaning_at_every_width(
    worker: FakeWorker, open_page: OpenPage, width: int
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url, width=width)).page

    table = page.get_by_role("table", name="Orders, newest first")
    await expect(table.get_by_role("columnheader")).to_have_text(COLUMNS)
    await expect(table.get_by_role("rowheader", name=str(FIRST_ID + 1))).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_contrast_in_both_schemes(
    worker: FakeWorker, open_page: OpenPage, scheme: str
) -> None:
    page = await open_full(worker, open_page, color_scheme=scheme)

    found = await page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 3 * 64) == (scheme == "dark")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 320)])
async def test_axe_finds_nothing_serious(
    worker: FakeWorker, open_page: OpenPage, scheme: str, width: int
) -> None:
    page = await open_full(worker, open_page, color_scheme=scheme, width=width)
    found = await Axe().run(page)
    assert [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in found.response["violations"]
        if violation["impact"] in {"serious", "critical", "moderate"}
    ] == []


async def test_axe_notices_what_is_wrong(worker: FakeWorker, open_page: OpenPage) -> None:
    page = (await open_page(worker.url)).page
    await page.evaluate("document.querySelector('.brand img').removeAttribute('alt')")
    found = await Axe().run(page)
    assert "critical" in {violation["impact"] for violation in found.response["violations"]}


async def test_everything_is_reached_by_keyboard_alone(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 31)))
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect(page.locator("#activity canvas")).to_be_visible()

    passed = await tab_until(page, "older")
    assert passed[:2] == ["Skip to the orders", "Orders"]
    assert passed[2].startswith("Dead letters")
    assert passed[3:9] == ["Flow", "Rules", "Break it", "order_id", "try", "pause"]
    for name in ("activity", "filter-country", "scroller"):
        assert name in passed
    assert str(FIRST_ID + 30) in passed
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Older orders")).to_be_focused()
    await expect(page.locator("#rows tr")).to_have_count(5)

    assert str(FIRST_ID + 5) in await tab_until(page, str(FIRST_ID + 5))
    await page.keyboard.press("Enter")
    await expect(story(page).get_by_role("heading")).to_be_focused()
    assert "story-older" in await tab_until(page, "story-close")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name=str(FIRST_ID + 5))).to_be_focused()


async def test_whoever_opens_an_order_can_go_on_from_it_at_once(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(3)))
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(3)

    # In the same task as the click: before a frame is drawn, a key may have been pressed.
    disabled = await page.evaluate(
        """() => {
          document.querySelector("#rows a").click();
          const names = ["story-newer", "story-older"];
          return names.map((name) => document.getElementById(name).disabled);
        }"""
    )
    assert disabled == [True, False]


async def tab_until(page: Page, goal: str) -> list[str]:
    """Press Tab until the goal has the focus; the names of what had it, all of them visibly."""
    passed = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        name, outlined = await page.evaluate(
            """() => {
              const { activeElement: at } = document;
              const style = getComputedStyle(at);
              return [at.id || at.name || at.textContent, style.outlineStyle !== "none"];
            }"""
        )
        passed.append(name)
        assert outlined, f"{name} has the focus and does not show it"
        if name == goal:
            return passed
    raise AssertionError(f"{goal} is not reached; passed: {passed}")


async def test_the_skip_link_leads_to_the_orders(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_focused()
    await expect(page.locator("#rows tr")).to_have_count(1)


@pytest.mark.parametrize(("motion", "name"), [("no-preference", "arrive"), ("reduce", "none")])
async def test_the_highlight_respects_reduced_motion(
    worker: FakeWorker, open_page: OpenPage, motion: str, name: str
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url, reduced_motion=motion)).page
    await expect(page.locator("#rows tr")).to_have_count(1)

    worker.accept(make_order(2))
    await expect(page.locator("#rows tr.fresh")).to_have_css("animation-name", name)


async def test_the_open_order_is_marked_without_colours_too_and_not_like_an_arrival(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page
    row = page.locator("#rows tr")
    await expect(row.locator("a")).to_have_attribute("aria-current", "true")
    fresh = await page.evaluate(
        """() => {
          const style = document.createElement("span").style;
          style.color = getComputedStyle(document.documentElement).getPropertyValue("--fresh");
          return style.color;
        }"""
    )
    assert fresh
    await expect(row).not_to_have_css("background-color", fresh)
    await expect(row).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")

    await page.emulate_media(forced_colors="active")
    await expect(row).to_have_css("outline-style", "solid")


async def test_paper_has_all_orders_in_dark_on_white_and_nothing_to_press(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 31)))
    page = (await open_page(worker.url, color_scheme="dark")).page
    await expect(page.locator("#rows tr")).to_have_count(25)
    await page.emulate_media(media="print", color_scheme="dark")

    await expect(page.locator("body")).to_have_css("color", "rgb(23, 30, 42)")
    await expect(page.locator("#rows tr").last).to_be_visible()
    await expect(page.locator("#scroller")).to_have_css("overflow-x", "visible")
    await expect(page.locator("button:visible, input:visible, select:visible")).to_have_count(0)


async def test_without_scripts_the_page_says_where_the_orders_are(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url, scripts=False)).page

    await expect(page.locator("noscript .notice")).to_be_visible()
    await expect(page.locator('noscript a[href="api/orders"]')).to_be_visible()
    await expect(page.locator("button:visible, input:visible, select:visible")).to_have_count(0)
    await expect(page.get_by_text("Connecting")).to_be_hidden()


async def test_times_and_amounts_say_what_they_are_in(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page

    await expect(story(page)).to_contain_text("Created23 Nov 2026, 19:00:01 CET")
    await expect(page.locator("#activity-step")).to_have_text("per 10 s, times in CET")
    await expect(page.locator("footer")).to_contain_text("Times are local: CET.")
    await expect(page.locator("footer")).to_contain_text("Amounts have no currency.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_charts_bars_stand_out_from_the_ground(
    worker: FakeWorker, open_page: OpenPage, scheme: str
) -> None:
    page = (await open_page(worker.url, color_scheme=scheme)).page
    colors = await page.evaluate(
        """() => ["--surface", "--chart-orders", "--chart-alerts"].map((name) =>
          getComputedStyle(document.documentElement).getPropertyValue(name).trim())"""
    )
    surface, *bars = map(luminance, colors)
    for bar in bars:
        assert (max(surface, bar) + 0.05) / (min(surface, bar) + 0.05) >= 3


def luminance(color: str) -> float:
    """Of `#rrggbb`, by the WCAG formula."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


async def widths(page: Page, *widths: int) -> AsyncIterator[int]:
    """Make the window so wide, one after the other."""
    for width in widths:
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate("innerWidth") == width
        yield width


@pytest.mark.parametrize("amount", [9999.99, 999_999.0, 9_990_000.0])
async def test_no_figure_is_cut_off_on_a_phone(
    worker: FakeWorker, open_page: OpenPage, amount: float
) -> None:
    worker.put(make_order(1, amount=amount))
    worker.pay(FIRST_ID + 1)
    page = (await open_page(worker.url, width=320)).page
    await expect(page.locator("[data-figure=paid]")).to_have_text("1")

    figures = page.locator(".figures dt + dd")
    cut_off = """found => found.filter((one) => one.scrollWidth > one.clientWidth)
      .map((one) => one.textContent)"""
    async for width in widths(page, 320, 376, 377, 390):
        assert (width, await figures.evaluate_all(cut_off)) == (width, [])


async def test_an_orders_card_keeps_its_id_in_one_line_and_its_edge_straight(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1, amount=9999.99, order_id=9_007_199_254_740_991))
    page = (await open_page(worker.url, width=320)).page
    await expect(page.locator("#rows tr")).to_have_count(1)

    lines = "a => a.getClientRects().length"
    right = """found => found.map((one) => {
      const range = document.createRange();
      range.selectNodeContents(one);
      return Math.round(range.getBoundingClientRect().right);
    })"""
    ends = page.locator('[data-field="country"], [data-field="amount"]')
    async for width in widths(page, 320, 390, 700):
        assert (width, await page.locator("#rows a").evaluate(lines)) == (width, 1)
        amount, country = await ends.evaluate_all(right)
        assert (width, amount) == (width, country)
