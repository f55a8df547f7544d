"""Questions that fail: the page says so, asks again, and shows nothing that is not so."""

import pytest
from playwright.async_api import expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order
from tests.web_page.page import expect_state, shown_ids, until


async def test_a_store_that_was_away_when_the_page_opened_is_asked_again(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.store_error = "the store did not answer within 2 s"
    page = (await open_page(worker.url)).page
    await expect_state(page, "Store away")
    await until(lambda: len(worker.asked) > 3)  # more than are asked for as the page opens

    worker.store_error = None
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect_state(page, "Live")


@pytest.mark.parametrize(
    ("status", "state"),
    [(500, "Orders not available"), (503, "Store away"), (504, "Orders not available")],
)
async def test_a_list_that_fails_is_said_to_until_it_is_there(
    worker: FakeWorker, open_page: OpenPage, status: int, state: str
) -> None:
    worker.put(make_order(1))
    worker.list_status = status
    page = (await open_page(worker.url)).page
    await expect_state(page, state)
    await expect(page.locator("#state")).to_have_css("background-color", "rgb(253, 239, 208)")
    await expect(page.locator("#page-note")).not_to_contain_text(", live")
    await until(lambda: len(worker.asked) > 3)
    # Other answers come, and say nothing about the list.
    worker.put(make_order(2))
    await expect(page.locator("[data-figure=orders]")).to_have_text("2")
    await expect_state(page, state)

    worker.list_status = 200
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect_state(page, "Live")
    await expect(page.locator("#notice")).to_be_hidden()


async def test_rows_of_another_filter_do_not_stay_when_the_list_fails(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1), make_order(2))
    worker.pay(FIRST_ID + 2)
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(2)
    await page.get_by_role("button", name="Pause").click()
    worker.list_status = 503

    await page.get_by_label("Status").select_option("paid")
    await expect_state(page, "Store away")
    await expect(page.locator("#rows tr")).to_have_count(0)
    worker.list_status = 200
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert await shown_ids(page) == [FIRST_ID + 2]
    await expect_state(page, "Paused")


async def test_the_list_is_there_while_the_stream_is_refused(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.stream_error = "all 1000 event streams are taken"
    page = (await open_page(worker.url)).page

    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect_state(page, "Connection lost")
    await expect(page.locator("#notice")).to_contain_text(worker.stream_error)


async def test_a_list_that_takes_its_time_is_said_to_be_loading(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.may_list.clear()
    page = (await open_page(worker.url)).page
    await expect(page.get_by_role("heading", name="Loading …")).to_be_visible()

    worker.may_list.set()
    await expect(page.get_by_role("heading", name="No orders yet")).to_be_visible()


@pytest.mark.parametrize("wrong", ["status=nonsense", "after=broken"])
async def test_a_list_that_there_is_not_is_said_once_with_the_way_back(
    worker: FakeWorker, open_page: OpenPage, wrong: str
) -> None:
    worker.put(make_order(1))
    page = (await open_page(f"{worker.url}#/?{wrong}")).page
    empty = page.locator("#empty")
    await expect(empty).to_contain_text("There is no such list")
    await expect(empty).to_contain_text(f"{wrong} is not allowed")
    await expect_state(page, "Live")
    asked, stats_asked = len(worker.asked), worker.stats_asked
    worker.accept(make_order(2))
    await until(lambda: worker.stats_asked > stats_asked + 2)
    assert len(worker.asked) == asked
    await expect(page.locator("#rows tr")).to_have_count(0)

    await empty.get_by_role("button", name="Show all orders").click()
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_focused()
    assert page.url.rstrip("#/") == worker.url.rstrip("/")
