"""The search at the top of the page, for customers and traces."""

import pytest
from playwright.async_api import expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order
from tests.web_page.page import shown_ids, story

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def fill(worker: FakeWorker) -> None:
    """Of ten orders two are of customer 4321, and one came with a trace."""
    worker.put(*(make_order(n) for n in range(8)))
    worker.put(make_order(8, customer_id=4321, country="DE"))
    worker.put(make_order(9, customer_id=4321, trace_id=TRACE))


@pytest.mark.parametrize(
    ("text", "address", "numbers", "title"),
    [
        ("4321", "customer_id=4321", [9, 8], "Orders: customer 4321"),
        (" Customer: 4321 ", "customer_id=4321", [9, 8], "Orders: customer 4321"),
        (TRACE.upper(), f"trace_id={TRACE}", [9], f"Orders: trace {TRACE}"),
        (f"00-{TRACE}-00f067aa0ba902b7-01", f"trace_id={TRACE}", [9], f"Orders: trace {TRACE}"),
    ],
)
async def test_a_customer_and_a_trace_list_their_orders_whatever_was_listed_before(
    worker: FakeWorker,
    open_page: OpenPage,
    text: str,
    address: str,
    numbers: list[int],
    title: str,
) -> None:
    fill(worker)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}?country=GB&after=")).page
    await expect(page.get_by_role("heading", name="No order matches")).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.insert_text(text)
    await page.keyboard.press("Enter")

    await expect(page.locator("#rows tr")).to_have_count(len(numbers))
    assert await shown_ids(page) == [FIRST_ID + number for number in numbers]
    assert page.url == f"{worker.url}#/?{address}"
    heading = page.locator("#orders-title")
    await expect(heading).to_have_text(title)
    await expect(heading).to_be_focused()
    await expect(story(page)).to_be_hidden()

    await page.locator("#filter-country").select_option("DE")
    assert address in page.url
    await page.locator(".narrow-filter:visible").click()
    await expect(page.locator(".narrow-filter:visible")).to_have_count(0)
    await expect(heading).to_have_text("Orders: DE")
    await expect(heading).to_be_focused()


async def test_a_customers_list_is_live_and_takes_in_no_order_of_others(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    fill(worker)
    page = (await open_page(f"{worker.url}#/?customer_id=4321")).page
    await expect(page.locator("#rows tr")).to_have_count(2)
    worker.accept(make_order(11))
    worker.accept(make_order(12, customer_id=4321))

    await expect(page.locator("#rows tr")).to_have_count(3)
    assert await shown_ids(page) == [FIRST_ID + number for number in (12, 9, 8)]


async def test_an_order_with_four_digits_is_found_by_its_number_sign(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(0, order_id=2468))
    page = (await open_page(worker.url)).page
    field = page.get_by_role("searchbox", name="Search")
    await field.fill("2468")
    await field.press("Enter")
    await expect(page.locator("#empty-text")).to_contain_text(
        "The order with the number 2468 is found by #2468."
    )

    await field.fill("#2468")
    await field.press("Enter")
    await expect(story(page)).to_contain_text("Accepted")


async def test_a_story_leads_to_the_other_orders_of_its_customer(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    fill(worker)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 9}")).page
    await story(page).get_by_role("link", name="4321").click()

    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(page.locator("#orders-title")).to_have_text("Orders: customer 4321")
