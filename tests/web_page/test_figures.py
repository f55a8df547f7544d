"""The figures over all orders: how old they are, and which countries they name."""

import re

from playwright.async_api import expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order


async def test_totals_that_were_counted_a_while_ago_say_so(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.counted_before = 30
    page = (await open_page(worker.url)).page

    note = page.locator("#figures-stale")
    await expect(note).to_have_text(
        re.compile(r"^Totals and charts are from .*, (29|3\d) s ago\.$")
    )

    worker.counted_before = 3
    await expect(note).to_be_hidden()


async def test_the_clock_of_the_reader_does_not_age_the_totals(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page("about:blank")).page
    await page.clock.install(time="2030-01-01T00:00:00Z")
    await page.goto(worker.url)
    await expect(page.locator("[data-figure=orders]")).to_have_text("0")

    await page.clock.run_for(2500)
    await expect(page.locator("#figures-stale")).to_be_hidden()


async def test_the_sum_of_other_countries_is_no_country(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.other_countries = {"number": 3, "orders": 7, "revenue": 1e6}
    names = ["all others"] + [f"A{letter}" for letter in "ABCDEFGHI"]
    for number, name in enumerate(names, start=1):
        worker.put(make_order(number, country=name))
        worker.pay(FIRST_ID + number)
    page = (await open_page(worker.url)).page

    await expect(page.locator("#countries li")).to_have_count(8)
    await expect(page.locator("#countries li").first).to_contain_text("all others")
    note = page.locator("#countries-note")
    await expect(note).to_have_text("and more than 2 other countries")
    await expect(page.locator("#filter-country")).to_contain_text("all others")


async def test_dead_letters_without_a_number_say_why(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.letters_counted = False
    page = (await open_page(worker.url)).page
    note = page.locator("[data-figure=dead-note]")

    await expect(note).to_have_text("being counted")
    worker.letters_counted = True
    await expect(note).to_have_text("none open")
    worker.services = None
    await expect(note).to_have_text("Kafka does not say")


async def test_what_is_broken_on_purpose_is_said_until_it_is_mended(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.faults = {"gateway_timeout": 0.3, "store_slow": 2.0}
    page = (await open_page(worker.url)).page
    await expect(page.locator("#broken")).to_have_text(
        "Broken on purpose: gateway timeout (30%), store slow (2.0 s). Show and mend it"
    )
    await page.get_by_role("link", name="Show and mend it").click()
    await expect(page).to_have_title("Break it: orderapp")
    worker.faults = {}
    await expect(page.locator("#broken")).to_be_hidden()
