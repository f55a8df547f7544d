"""The list of orders: live, filtered, in pages."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order, payment_of
from tests.web_page.page import cell, expect_state, row_of, shown_ids, story, until, words


async def test_no_orders_says_so_until_the_first_arrives(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect(page.get_by_role("heading", name="No orders yet")).to_be_visible()
    await expect(page.locator("#scroller")).to_be_hidden()

    worker.accept(make_order(1))
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.locator("#empty")).to_be_hidden()


async def test_stored_orders_are_there_newest_first_with_what_became_of_them(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in (1, 2, 3)), make_order(4, amount=350.0, country="DE"))
    worker.alert(FIRST_ID + 4)
    worker.pay(FIRST_ID + 4)
    worker.pay(FIRST_ID + 3, "DECLINED")
    worker.bury(FIRST_ID + 2)
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(4)

    columns = ("Order", "Amount", "Country", "Status", "Customer", "Kafka")
    assert [
        [
            str(FIRST_ID + 4),
            "350.00",
            "DE",
            "paid alert high amount risky country",
            "1234",
            "4:4",
        ],
        [str(FIRST_ID + 3), "99.50", "US", "declined", "1234", "3:3"],
        [str(FIRST_ID + 2), "99.50", "US", "dead letter", "1234", "2:2"],
        [str(FIRST_ID + 1), "99.50", "US", "stored", "1234", "1:1"],
    ] == [[await words(cell(page, column, row)) for column in columns] for row in range(4)]
    time = cell(page, "Time CET", 3).locator("time")
    await expect(time).to_have_attribute("datetime", "2026-11-23T18:00:01.000000Z")


async def test_a_time_has_its_date_when_it_is_not_of_today(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page("about:blank")).page
    # The browser's zone is Berlin: 23:30 there.
    await page.clock.set_fixed_time("2026-11-23T22:30:00Z")
    await page.goto(worker.url)
    await expect(cell(page, "Time CET")).to_have_text("19:00:01")
    await expect_state(page, "Live")

    for now, text in (
        ("2026-11-23T23:30:00Z", "23 Nov, 19:00:01"),
        ("2027-01-02T12:00:00Z", "23 Nov 2026, 19:00:01"),
    ):
        await page.clock.set_fixed_time(now)
        worker.alert(FIRST_ID + 1)
        await expect(cell(page, "Time CET")).to_have_text(text)


async def test_orders_alerts_and_payments_appear_live(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await expect(page.locator("#rows tr")).to_have_count(1)
    worker.accept(make_order(2))
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 2))
    worker.alert(FIRST_ID + 2)
    await expect(cell(page, "Status")).to_contain_text("high amount risky country")
    worker.alert(FIRST_ID + 2, "BLOCKED_CUSTOMER")
    await expect(cell(page, "Status")).to_contain_text("blocked customer")
    worker.pay(FIRST_ID + 2)
    await expect(cell(page, "Status")).to_contain_text("paid")
    await expect(cell(page, "Status")).to_contain_text("high amount risky country")

    assert await shown_ids(page) == [FIRST_ID + 2, FIRST_ID + 1]


async def test_an_alert_that_is_heard_of_before_its_order_is_not_lost(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    late = make_order(1)
    worker.put(late)
    worker.alert(late["order_id"])
    worker.pay(late["order_id"])
    await asyncio.sleep(0.3)

    worker.accept(late)
    await expect(cell(page, "Status")).to_contain_text("alert")
    await expect(cell(page, "Status")).to_contain_text("paid")


async def test_an_order_that_was_stored_after_the_first_list_is_found(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect(page.get_by_role("heading", name="No orders yet")).to_be_visible()
    worker.put(make_order(1))  # its event came before the stream began

    await expect(page.locator("#rows tr")).to_have_count(1)


async def test_a_payment_of_an_order_that_is_not_known_makes_the_page_ask(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect(page.get_by_role("heading", name="No orders yet")).to_be_visible()
    await asyncio.sleep(3)  # the list was read for the second time
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)

    await expect(cell(page, "Status")).to_contain_text("paid")


async def test_an_order_that_is_not_paid_turns_from_accepted_to_stored(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    worker.accept(make_order(1), is_stored=False)
    await expect(cell(page, "Status")).to_have_text("accepted")

    worker.put(make_order(1))
    await expect(cell(page, "Status")).to_have_text("stored")


async def test_payment_changes_its_chip_and_keeps_row_and_focus(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    link = page.get_by_role("link", name=str(FIRST_ID + 1))
    await link.focus()
    await row_of(page, FIRST_ID + 1).evaluate("row => { row.marked = true }")

    worker.accept(*(make_order(n) for n in range(2, 40)))
    worker.pay(FIRST_ID + 1)
    await expect(cell(page, "Status")).to_contain_text("paid")

    assert await page.locator("#rows tr").first.evaluate("row => row.marked")
    assert await shown_ids(page) == [FIRST_ID + 1]
    await expect(link).to_be_focused()
    for _ in range(7):  # the list itself, filters and files
        await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("button", name="38 new orders")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_focused()
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 39))


async def let_arrive(worker: FakeWorker, until: asyncio.Event) -> int:
    """20 orders/s, some with an alert, which makes a row higher; the last one's number."""
    number = 30
    while not until.is_set():
        number += 1
        worker.accept(make_order(number))
        if number % 3 == 0:
            worker.alert(FIRST_ID + number)
        await asyncio.sleep(0.05)
    return number


async def test_the_list_holds_still_under_the_pointer_and_a_click_opens_what_was_aimed_at(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 31)))
    page = (await open_page(worker.url, height=1600)).page
    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect_state(page, "Live")
    done = asyncio.Event()
    arriving = asyncio.create_task(let_arrive(worker, done))
    try:
        aimed = page.locator("#rows a")
        for click in range(50):
            if click % 5 == 0:
                await page.mouse.move(5, 5)
                await expect(page.locator("#page-note")).to_have_text("Newest first, live")
            await aimed.nth(click % 20).hover()
            await expect(page.locator("#page-note")).to_contain_text("held")
            under = "([x, y]) => document.elementFromPoint(x, y).textContent"
            box = await aimed.nth(click % 20).bounding_box()
            assert box
            at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
            wanted = await page.evaluate(under, at)
            await expect(page.locator("#arrived")).to_be_visible()
            await page.mouse.click(*at)
            await expect(story(page).get_by_role("heading")).to_have_text(f"Order {wanted}")
    finally:
        done.set()
        last = await arriving

    await page.mouse.move(5, 5)
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + last))
    await expect(page.locator("#arrived")).to_be_hidden()


async def test_new_orders_are_shown_when_their_button_is_pressed_and_then_it_holds_again(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    place = await page.get_by_role("link", name=str(FIRST_ID + 1)).bounding_box()
    await page.get_by_role("link", name=str(FIRST_ID + 1)).hover()
    await expect(page.locator("#page-note")).to_contain_text("held while you are in the list")
    worker.accept(make_order(2))
    worker.alert(FIRST_ID + 2)
    worker.alert(FIRST_ID + 1)
    worker.gap()  # the list is read again, and stays nevertheless
    worker.pay(FIRST_ID + 1)
    await expect(cell(page, "Status")).to_have_text("paid")
    button = page.get_by_role("button", name="1 new order")
    await expect(button).to_be_visible()
    assert place == await page.get_by_role("link", name=str(FIRST_ID + 1)).bounding_box()
    assert await shown_ids(page) == [FIRST_ID + 1]

    await button.click()
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 2))
    await expect(button).to_be_hidden()
    worker.accept(make_order(3), make_order(4))
    await expect(page.get_by_role("button", name="2 new orders")).to_be_visible()
    await page.mouse.move(5, 5)
    await expect(page.locator("#rows tr")).to_have_count(4)
    await expect(cell(page, "Status", row=3)).to_contain_text("alert")
    await expect(page.locator("#arrived")).to_be_hidden()


async def test_an_empty_list_holds_nothing_back(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await page.get_by_role("heading", name="No orders yet").hover()
    await expect(page.locator("#page-note")).to_contain_text("held")

    worker.accept(make_order(1))
    await expect(page.locator("#rows tr")).to_have_count(1)


async def test_focus_stays_in_the_table_when_its_row_leaves(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    # A click leaves its focus behind, and holds nothing.
    await page.get_by_role("link", name=str(FIRST_ID + 1)).click()
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("link", name=str(FIRST_ID + 1))).to_be_focused()

    worker.accept(*(make_order(n) for n in range(2, 40)))
    await expect(page.get_by_role("link", name=str(FIRST_ID + 39))).to_be_visible()

    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect(page.get_by_role("region", name="List of orders")).to_be_focused()


async def test_markup_in_an_order_is_shown_as_text(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    evil = "<img src=/static/none onerror=alert(1)>"
    worker.put(make_order(1, country=evil, created_at=evil))
    worker.put(make_order(2, country=evil), make_order(3, country=evil))
    worker.alert(FIRST_ID + 1, evil)
    worker.pay(FIRST_ID + 2, evil)
    worker.pay(FIRST_ID + 3)
    visit = await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")
    page = visit.page

    await expect(cell(page, "Country")).to_have_text(evil)
    await expect(cell(page, "Time CET")).to_have_text(evil)
    await expect(cell(page, "Status")).to_contain_text(evil)
    await expect(cell(page, "Status", row=2)).to_contain_text(evil)
    await expect(page.locator("#story")).to_contain_text(evil)
    await expect(page.locator("#countries")).to_contain_text(evil)
    await expect(page.locator("#filter-country")).to_contain_text(evil)
    assert await page.locator("main img").count() == 0
    assert visit.errors == []


async def test_filters_ask_the_worker_and_hold_for_what_comes_after(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1, country="DE"), make_order(2), make_order(3, country="DE"))
    worker.pay(FIRST_ID + 3)
    page = (await open_page(worker.url)).page
    await page.get_by_label("Country").and_(page.locator("select")).select_option("DE")
    await expect(page.locator("#rows tr")).to_have_count(2)
    await page.get_by_label("Status").select_option("paid")
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert worker.asked[-1] == "limit=25&country=DE&status=paid"

    worker.accept(make_order(4), make_order(5, country="DE"))
    worker.pay(FIRST_ID + 4)
    worker.pay(FIRST_ID + 5)
    await expect(page.locator("#rows tr")).to_have_count(2)
    assert await shown_ids(page) == [FIRST_ID + 5, FIRST_ID + 3]

    await page.get_by_label("Status").select_option("stored")
    await expect(page.locator("#rows tr")).to_have_count(1)
    worker.pay(FIRST_ID + 1)
    await expect(page.get_by_role("heading", name="No order matches")).to_be_visible()
    announcer = page.locator("#announcer")
    assert await announcer.inner_text() != "No order matches"  # nobody has asked for it
    await page.get_by_label("Status").select_option("alert")
    await expect(announcer).to_have_text("No order matches")


async def test_older_pages_stay_as_they_are_while_orders_arrive(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 61)))
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(25)
    worker.accept(make_order(61))  # moves the end of the first page
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 61))

    older = page.get_by_role("button", name="Older orders")
    await older.click()
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 36))
    worker.accept(make_order(62))
    worker.alert(FIRST_ID + 62)
    worker.pay(FIRST_ID + 62)
    worker.pay(FIRST_ID + 5)
    worker.pay(FIRST_ID + 36)
    await expect(cell(page, "Status")).to_contain_text("paid")
    await expect(page.get_by_role("button", name="1 new order")).to_be_visible()
    await expect(page.locator("#page-note")).to_have_text("Older orders, not live")
    assert list(range(FIRST_ID + 36, FIRST_ID + 11, -1)) == await shown_ids(page)

    await older.click()
    await expect(page.locator("#rows tr")).to_have_count(11)
    await expect(older).to_be_hidden()
    await page.get_by_role("button", name="Back to the newest").click()
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 62))


async def test_address_and_titles_say_what_is_shown_and_back_leads_to_what_was_before(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1, country="DE"), make_order(2), make_order(3, country="DE"))
    worker.pay(FIRST_ID + 3)
    page = (await open_page(worker.url)).page
    await expect(page).to_have_title("Orders: orderapp")
    country = page.get_by_label("Country").and_(page.locator("select"))
    await country.select_option("DE")
    await expect(page).to_have_title("Orders: DE: orderapp")
    await page.get_by_label("Status").select_option("paid")
    await expect(page.get_by_role("heading", name="Orders: DE, paid")).to_be_visible()
    await page.get_by_role("link", name=str(FIRST_ID + 3)).click()
    await expect(page).to_have_title(f"Order {FIRST_ID + 3}: orderapp")
    address = f"#/orders/{FIRST_ID + 3}?country=DE&status=paid"
    await expect(page).to_have_url(worker.url + address)

    await page.go_back()
    await expect(story(page)).to_be_hidden()
    await expect(page.locator("#rows tr")).to_have_count(1)
    await page.go_back()
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(page.get_by_label("Status")).to_have_value("")
    await expect(page.get_by_role("heading", name="Orders: DE", exact=True)).to_be_visible()
    await page.go_back()
    await expect(page.locator("#rows tr")).to_have_count(3)
    await expect(page).to_have_url(worker.url)

    again = (await open_page(worker.url + address)).page
    await expect(story(again)).to_contain_text("Paid")
    await expect(again.locator("#rows tr")).to_have_count(1)
    await expect(again.get_by_label("Status")).to_have_value("paid")
    await again.get_by_role("button", name="Close").click()
    await expect(again).to_have_url(f"{worker.url}#/?country=DE&status=paid")


async def test_back_leads_from_page_to_page(worker: FakeWorker, open_page: OpenPage) -> None:
    worker.put(*(make_order(n) for n in range(1, 81)))
    page = (await open_page(worker.url)).page
    older = page.get_by_role("button", name="Older orders")
    for first in (80, 55, 30):
        await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + first))
        await older.click()
    await expect(page.locator("#rows tr")).to_have_count(5)
    await expect(page.get_by_role("heading", name="Older orders")).to_be_visible()

    for first in (30, 55, 80):
        await page.go_back()
        await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + first))
    await expect(page.locator("#page-note")).to_contain_text("Newest first")
    await page.go_forward()
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 55))
    await page.reload()
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 55))


async def test_pause_holds_orders_back_and_continue_shows_them(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await expect(page.locator("[data-figure=orders]")).to_have_text("1")
    await page.get_by_role("button", name="Pause").click()
    await expect_state(page, "Paused")

    worker.accept(make_order(2), make_order(3))
    await expect(page.locator("#age")).to_have_text("2 orders since")
    asked = worker.stats_asked
    await asyncio.sleep(3)  # figures are asked for every 2 s
    assert worker.stats_asked == asked
    await expect(page.locator("[data-figure=orders]")).to_have_text("1")
    assert await shown_ids(page) == [FIRST_ID + 1]
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("#rows tr")).to_have_count(3)
    await expect_state(page, "Live")
    await expect(page.locator("[data-figure=orders]")).to_have_text("3")


@pytest.mark.parametrize("batches", [300])
async def test_sixty_updates_a_second_are_drawn_a_few_times_a_second(
    worker: FakeWorker, open_page: OpenPage, batches: int
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await page.evaluate(
        """() => {
          window.draws = [];
          new MutationObserver(() => window.draws.push(performance.now()))
            .observe(document.getElementById("rows"), { childList: true, subtree: true });
        }"""
    )
    for number in range(batches):
        worker.accept(*(make_order(3 * number + k) for k in range(3)))
        await asyncio.sleep(1 / 60)
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 3 * batches - 1))

    draws = await page.evaluate("window.draws")
    # Each draw has new rows only, which somebody may want to read.
    assert 5 < len(draws) <= (draws[-1] - draws[0]) / 250
    assert await page.locator("#rows tr").count() == 25


async def test_rows_stay_while_their_orders_are_others(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(25)))
    worker.alert(FIRST_ID + 24)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 24}")).page
    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect_state(page, "Live")
    await expect(page.locator("#rows [aria-current]")).to_have_text(str(FIRST_ID + 24))
    rows = await page.evaluate_handle("[...document.querySelectorAll('#rows tr')]")

    worker.accept(*(make_order(n, country="DE") for n in range(25, 50)))
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 49))
    assert await shown_ids(page) == [FIRST_ID + n for n in range(49, 24, -1)]
    await expect(page.locator("#rows [aria-current]")).to_have_count(0)
    await expect(page.locator("#rows [data-cell=country]")).to_have_text(["DE"] * 25)
    await expect(page.locator("#rows")).not_to_contain_text("alert")
    still = (
        "(rows) => rows.every((row, at) => row === document.querySelectorAll('#rows tr')[at])"
    )
    assert await rows.evaluate(still)


async def test_a_new_order_appears_among_those_that_are_not_paid(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await page.get_by_label("Status").select_option("stored")
    await expect(page.locator("#rows tr")).to_have_count(1)
    await asyncio.sleep(3)  # the list is not read again by itself

    worker.accept(make_order(2), is_stored=False)
    await expect(page.locator("#rows tr")).to_have_count(2)
    worker.put(make_order(2))
    worker.pay(FIRST_ID + 2)
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert await shown_ids(page) == [FIRST_ID + 1]


@pytest.mark.parametrize(
    ("service", "before", "after"),
    [
        ("payment", "dead letter", "paid"),
        ("fraud", "stored dead letter", "paid dead letter"),
        ("fraud,payment", "dead letter", "paid dead letter"),
    ],
)
async def test_a_dead_letter_is_over_when_its_order_was_paid_by_a_replay(
    worker: FakeWorker, open_page: OpenPage, service: str, before: str, after: str
) -> None:
    worker.put(make_order(1))
    worker.bury(FIRST_ID + 1, service=service)
    page = (await open_page(worker.url)).page
    await expect(cell(page, "Status")).to_have_text(before)

    worker.pay(FIRST_ID + 1)
    await expect(cell(page, "Status")).to_have_text(after)


@pytest.mark.parametrize("service", ["payment", "fraud"])
async def test_a_dead_letter_that_was_dropped_is_not_shown_as_open(
    worker: FakeWorker, open_page: OpenPage, service: str
) -> None:
    worker.put(make_order(1))
    worker.bury(FIRST_ID + 1, service=service)
    worker.drop(FIRST_ID + 1)

    page = (await open_page(worker.url)).page

    await expect(cell(page, "Status")).to_have_text("stored")


@pytest.mark.parametrize("locale", ["en-US", "en-GB", "de-DE"])
async def test_times_have_one_width_in_every_language(
    worker: FakeWorker, open_page: OpenPage, locale: str
) -> None:
    worker.put(make_order(1), make_order(2))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}", locale=locale)).page

    await expect(cell(page, "Time CET")).to_contain_text(re.compile(r"\b19:00:02$"))
    await expect(story(page)).to_contain_text(re.compile(r"19:00:01[.,]000"))


async def test_a_payment_that_is_heard_of_before_the_store_has_it_is_kept(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await expect(cell(page, "Status")).to_have_text("stored")
    worker.hear(payments=[payment_of(worker.orders[FIRST_ID + 1])])
    await expect(cell(page, "Status")).to_have_text("paid")

    await page.evaluate(
        """() => {
          window.drawn = [];
          const rows = document.querySelector("#rows");
          new MutationObserver(() => window.drawn.push(rows.textContent))
            .observe(rows, { childList: true, subtree: true });
        }"""
    )
    asked = len(worker.asked)
    worker.gap()  # the list is read again, and its order is not paid
    await until(lambda: len(worker.asked) > asked)
    worker.accept(make_order(2))
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(cell(page, "Status", row=1)).to_have_text("paid")
    assert [text for text in await page.evaluate("window.drawn") if "paid" not in text] == []


async def test_a_late_answer_of_one_filter_is_not_shown_under_another(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1), make_order(2))
    worker.pay(FIRST_ID + 2)
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(2)
    await asyncio.sleep(3)  # the list is not read again by itself

    worker.may_list.clear()
    worker.slow_list = "status=declined"
    await page.get_by_label("Status").select_option("declined")
    await until(lambda: worker.asked[-1].endswith("status=declined"))
    await page.get_by_label("Status").select_option("paid")
    await expect(page.locator("#rows tr")).to_have_count(1)

    worker.may_list.set()
    await until(lambda: worker.lists_waiting == 0)
    await asyncio.sleep(0.5)
    assert await shown_ids(page) == [FIRST_ID + 2]


async def test_what_has_left_the_list_for_long_is_forgotten_and_the_list_is_not(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    kept = await page.evaluate(
        """async () => {
          const { Orders } = await import("/static/orders.js");
          const orders = new Orders();
          const sizes = [];
          for (let id = 0; id < 5000; id += 1) {
            orders.addBatch({ orders: [{ order_id: id }] });
            orders.prune(["0"]);
            sizes.push([...orders.ids].length);
          }
          const { known } = orders.get(0);
          return [Math.max(...sizes), known, orders.get(1) === undefined];
        }"""
    )
    assert kept == [2000, True, True]


async def test_the_page_forgets_orders_while_thousands_pass(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    visit = await open_page(worker.url)
    page = visit.page
    await expect_state(page, "Live")
    await page.evaluate(
        """async () => {
          const { Orders } = await import("/static/orders.js");
          const { addBatch } = Orders.prototype;
          Orders.prototype.addBatch = function (batch) {
            window.known = [...this.ids].length;
            return addBatch.call(this, batch);
          };
        }"""
    )
    for part in range(12):
        numbers = range(250 * part, 250 * part + 250)
        worker.accept(*(make_order(number) for number in numbers))
        await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + numbers[-1]))
    assert 900 < await page.evaluate("window.known") <= 2000
    assert await page.locator("#rows tr").count() == 25
    assert visit.errors == []
