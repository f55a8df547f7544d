"""What can be done with an order from its story."""

from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order
from tests.web_page.page import story

CLIPBOARD = """Object.defineProperty(navigator, "clipboard", {
  value: { writeText: async (text) => { window.copied = text; } },
});"""


async def open_story(worker: FakeWorker, open_page: OpenPage, clipboard: str) -> Page:
    worker.put(make_order(1, country="DE"))
    page = (await open_page(worker.url)).page
    await page.add_init_script(clipboard)
    await page.goto(f"{worker.url}#/orders/{FIRST_ID + 1}")
    await page.reload()
    await expect(story(page)).to_contain_text("Accepted")
    return page


async def test_its_id_and_a_request_for_it_are_copied(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_story(worker, open_page, CLIPBOARD)

    await page.get_by_role("button", name="Copy the id").click()
    await expect(page.locator("#story-copy-id")).to_have_text("Copied")
    assert await page.evaluate("window.copied") == str(FIRST_ID + 1)
    await page.get_by_role("button", name="Copy curl").click()
    await expect(page.locator("#story-copy-curl")).to_have_text("Copied")
    copied = await page.evaluate("window.copied")
    assert copied == f"curl {worker.url.rstrip('/')}/api/orders/{FIRST_ID + 1}"


async def test_without_a_clipboard_nothing_is_offered(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    nothing = 'Object.defineProperty(navigator, "clipboard", { value: undefined });'
    page = await open_story(worker, open_page, nothing)

    await expect(page.get_by_role("button", name="Copy")).to_have_count(0)


async def test_it_is_sent_again_as_a_new_order_when_its_reader_says_so(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_story(worker, open_page, CLIPBOARD)

    await page.get_by_role("button", name="Send again as new").click()
    await expect(page.get_by_label("Country").first).to_have_value("DE")
    await expect(page.locator("#customer_id")).to_be_focused()
    await expect(page.locator("#amount")).to_have_value("99.5")
    await expect(page.locator("#rows tr")).to_have_count(1)
    await page.get_by_role("button", name="Send order").click()
    await expect(page.locator("#sent")).to_contain_text("is accepted")
