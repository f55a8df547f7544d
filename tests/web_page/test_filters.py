"""What the list is chosen by: a span of time, all of it in the address, and as a file."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order, moment
from tests.web_page.page import expect_state, shown_ids, story


def ids(*numbers: int) -> list[int]:
    return [FIRST_ID + number for number in numbers]


async def opened(worker: FakeWorker, open_page: OpenPage, address: str, now: int) -> Page:
    """The page, with a clock that stands at `moment(now)`."""
    page = (await open_page("about:blank")).page
    await page.clock.set_fixed_time(moment(now))
    await page.goto(worker.url + address)
    await expect_state(page, "Live")
    return page


async def expect_ids(page: Page, *numbers: int) -> None:
    await expect(page.locator("#rows tr")).to_have_count(len(numbers))
    assert await shown_ids(page) == ids(*numbers)


async def test_the_last_minutes_are_chosen_and_new_orders_still_come(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1), make_order(600), make_order(1700))
    page = await opened(worker, open_page, "", 1800)
    await expect_ids(page, 1700, 600, 1)

    await page.locator("#filter-time").select_option("last 15 minutes")
    await expect_ids(page, 1700)
    await expect(page).to_have_url(re.compile(r"#/\?from=2026-11-23T18%3A15%3A00Z$"))
    await expect(page.locator("#orders-title")).to_have_text("Orders: from 19:15:00")
    # Of this zone, which stands beside it.
    await expect(page.locator("#span [name=from]")).to_have_value("2026-11-23T19:15")
    await expect(page.locator("#span [data-zone]")).to_have_text("CET")
    await expect(page.locator("#page-note")).to_have_text("Newest first, live")
    worker.accept(make_order(1801))
    await expect_ids(page, 1801, 1700)

    await page.locator("#filter-time").select_option("all")
    await expect_ids(page, 1801, 1700, 600, 1)
    await expect(page.locator("#span [name=from]")).to_be_hidden()


async def test_a_span_is_entered_and_back_and_forward_lead_through_what_was_chosen(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n, country="DE" if n % 2 else "US") for n in range(0, 100, 3)))
    page = await opened(worker, open_page, "", 200)
    await page.locator("#filter-time").select_option("from … to …")
    await expect(page.locator("#span [name=from]")).to_be_focused()
    await page.locator("#span [name=from]").fill("2026-11-23T19:00:10")
    await page.locator("#span [name=to]").fill("2026-11-23T19:00:30")
    await page.get_by_role("button", name="Show", exact=True).click()
    span = (27, 24, 21, 18, 15, 12)
    await expect_ids(page, *span)
    # It is over: what comes now does not belong here.
    worker.accept(make_order(150))

    await page.locator("#filter-country").select_option("DE")
    await expect_ids(page, 27, 21, 15)
    await page.locator("#rows a").last.click()
    await expect(story(page)).to_be_visible()
    whole = page.url
    await page.go_back()
    await expect(story(page)).to_be_hidden()
    await page.go_back()
    await expect_ids(page, *span)
    await expect(page.locator("#filter-country")).to_have_value("")
    await page.go_back()
    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect(page.locator("#span [name=from]")).to_be_hidden()
    for _ in range(3):
        await page.go_forward()
    await expect(story(page)).to_contain_text(str(FIRST_ID + 15))
    await expect_ids(page, 27, 21, 15)
    await expect(page.locator("#span [name=to]")).to_have_value("2026-11-23T19:00:30")
    assert page.url == whole
    await page.reload()
    await expect_ids(page, 27, 21, 15)
    await expect(story(page)).to_contain_text(str(FIRST_ID + 15))


async def test_a_page_of_a_span_is_in_the_address(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(60)))
    page = await opened(worker, open_page, f"#/?from={moment(20)}", 100)
    await expect(page.locator("#rows tr")).to_have_count(25)
    await page.get_by_role("button", name="Older orders").click()
    rest = range(34, 19, -1)
    await expect_ids(page, *rest)
    await expect(page.locator("#older")).to_be_hidden()
    await page.reload()
    await expect_ids(page, *rest)
    await page.go_back()
    await expect(page.locator("#rows tr")).to_have_count(25)


async def test_a_span_that_ends_before_it_begins_is_said_at_its_field(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await opened(worker, open_page, f"#/?from={moment(20)}", 100)
    asked = len(worker.asked)
    end = page.locator("#span [name=to]")
    await end.fill("2026-11-23T19:00:20")
    await page.get_by_role("button", name="Show", exact=True).click()

    await expect(end).to_be_focused()
    await expect(end).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#to-wrong")).to_contain_text("later than the beginning")
    assert len(worker.asked) == asked
    await expect(page).not_to_have_url(re.compile("to="))


@pytest.mark.parametrize("address", ["", f"#/?country=DE&status=paid&from={moment(1)}"])
async def test_the_same_orders_are_offered_as_a_file(
    worker: FakeWorker, open_page: OpenPage, address: str
) -> None:
    page = await opened(worker, open_page, address, 100)
    query = f"?country=DE&status=paid&from={moment(1)}".replace(":", "%3A") if address else ""
    for kind in ("csv", "json"):
        link = page.get_by_role("link", name=kind.upper(), exact=True)
        await expect(link).to_have_attribute("href", f"api/orders/export.{kind}{query}")
        await expect(link).to_have_attribute("download", "")


@pytest.mark.parametrize("width", [390, 768, 1280])
async def test_nothing_moves_when_new_orders_are_counted_beside_a_long_title(
    worker: FakeWorker, open_page: OpenPage, width: int
) -> None:
    worker.put(make_order(30))
    page = (await open_page(f"{worker.url}#/?country=US&from={moment(20)}", width=width)).page
    await expect_state(page, "Live")
    link = page.locator("#rows a").first
    await link.focus()
    await page.keyboard.press("Shift")
    before = await link.bounding_box()
    worker.accept(*(make_order(n) for n in range(31, 60)))

    await expect(page.get_by_role("button", name="29 new orders")).to_be_visible()
    assert before == await link.bounding_box()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_the_list_stays_under_the_pointer_whatever_appears_above_it(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 31)))
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    link = page.locator("#rows a").nth(2)
    await link.hover()
    await expect(page.locator("#page-note")).to_contain_text("held")
    top = "element => element.getBoundingClientRect().top"
    before = await link.evaluate(top)
    assert await page.evaluate("scrollY") == 0, "a browser keeps a place in a scrolled page"

    worker.faults = {"gateway_timeout": 1.0}
    await expect(page.locator("#broken")).to_be_visible()
    assert await link.evaluate(top) == pytest.approx(before, abs=1)
    worker.faults = {}
    await expect(page.locator("#broken")).to_be_hidden()
    assert await link.evaluate(top) == pytest.approx(before, abs=1)
